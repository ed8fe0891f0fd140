// What the console does in the browser beyond plain pages. Every page works without it; nothing here decides.
import "htmx.org";
import { keys } from "./keys";
import { ages } from "./ages";
import { copying } from "./copy";
import { passkeys } from "./passkeys";
import { ticking } from "./tick";

keys();
ages();
copying();
passkeys();
ticking();
