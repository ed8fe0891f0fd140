// The portal's one script, on the one page that needs it: browsers make passkeys by script alone.

import { passkeys } from "./passkeys";

passkeys();
