// Passkeys: a form marked data-passkey asks the browser for one and sends what it says; hidden where there can be none.
// Nothing is decided here: the keeper asks the question and looks at the answer. Without script one signs in otherwise.

interface Begun {
  ceremony: string;
  options: Asked;
}

interface Named {
  id: string;
  type: PublicKeyCredentialType;
  transports?: AuthenticatorTransport[];
}

interface Asked extends Record<string, unknown> {
  challenge: string;
  user?: { id: string; name: string; displayName: string };
  allowCredentials?: Named[];
  excludeCredentials?: Named[];
}

// What was asked is good for five minutes; a page left open on a ward asks anew before that, while somebody can see it.
const AGAIN_MS = 240_000;
let waiting: AbortController | null = null;
let pressed = false;

export function passkeys(): void {
  if (!("credentials" in navigator) || !("PublicKeyCredential" in window)) return;
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-passkey]")) {
    form.hidden = false;
    if (numeric(location.hostname)) {
      elsewhere(form);
      continue;
    }
    form.addEventListener("submit", (event) => {
      if (field(form, "credential").value) return;
      event.preventDefault();
      void ask(form, "optional");
    });
    if ("autofill" in form.dataset) void offer(form);
  }
}

// A passkey is made for a name: under a bare number no browser has any.
function numeric(host: string): boolean {
  return host.startsWith("[") || /^[\d.]+$/.test(host);
}

function elsewhere(form: HTMLFormElement): void {
  const button = form.querySelector("button");
  if (button) button.disabled = true;
  say(form, form.dataset.wrong ?? (location.hostname.startsWith("127.")
    ? "Passkeys need the console's name: open it as localhost."
    : "Passkeys need the console's name: open it by that, not by its number."));
}

// In the list the browser opens below the login, beside kept passwords.
async function offer(form: HTMLFormElement): Promise<void> {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  window.setInterval(() => {
    if (!pressed && !document.hidden) void ask(form, "conditional");
  }, AGAIN_MS);
  await ask(form, "conditional");
}

async function ask(form: HTMLFormElement, mediation: CredentialMediationRequirement): Promise<void> {
  const aloud = mediation !== "conditional";
  waiting?.abort();
  const mine = (waiting = new AbortController());
  pressed = aloud;
  if (aloud) say(form, form.dataset.waiting ?? "Waiting for your passkey …");
  try {
    const begun = await begin(form);
    if (!begun) return;
    const options = asked(begun.options);
    const given =
      form.dataset.passkey === "create"
        ? await navigator.credentials.create({ publicKey: options as unknown as PublicKeyCredentialCreationOptions, signal: mine.signal })
        : await navigator.credentials.get({ publicKey: options as unknown as PublicKeyCredentialRequestOptions, mediation, signal: mine.signal });
    if (!(given instanceof PublicKeyCredential)) throw new Error("none");
    field(form, "ceremony").value = begun.ceremony;
    field(form, "credential").value = JSON.stringify(said(given));
    form.submit();
  } catch (error) {
    if (!aloud || mine.signal.aborted) return;
    pressed = false;
    say(form, words(error, form));
  }
}

async function begin(form: HTMLFormElement): Promise<Begun | null> {
  const body = new URLSearchParams();
  for (const name of ["token", "second"]) {
    const input = form.elements.namedItem(name);
    if (input instanceof HTMLInputElement) body.set(name, input.value);
  }
  const answer = await fetch(form.dataset.begin ?? "", { method: "POST", body });
  if (answer.redirected) {
    location.assign(answer.url);
    return null;
  }
  if (!answer.ok) throw new Error(String(answer.status));
  return (await answer.json()) as Begun;
}

// The console says it in English; the portal's forms bring their own words along.
function words(error: unknown, form: HTMLFormElement): string {
  const name = error instanceof DOMException ? error.name : "";
  const { known, refused, wrong } = form.dataset;
  if (known && refused && wrong) return name === "InvalidStateError" ? known : name === "NotAllowedError" ? refused : wrong;
  if (name === "InvalidStateError") return "This passkey is yours already. Use another one.";
  if (name === "NotAllowedError") return "No passkey was used, or it took too long. Press the button to try again, or take another way.";
  if (name === "SecurityError") return "Passkeys do not work under this address. Open the console by the name in its settings.";
  return "That did not work. Load the page again, or take another way.";
}

function asked(options: Asked): Record<string, unknown> {
  const list = (named: Named[] | undefined) => named?.map((one) => ({ ...one, id: bytes(one.id) }));
  return {
    ...options,
    challenge: bytes(options.challenge),
    ...(options.user && { user: { ...options.user, id: bytes(options.user.id) } }),
    ...(options.allowCredentials && { allowCredentials: list(options.allowCredentials) }),
    ...(options.excludeCredentials && { excludeCredentials: list(options.excludeCredentials) }),
  };
}

function said(given: PublicKeyCredential): Record<string, unknown> {
  const answer = given.response;
  const response: Record<string, unknown> = { clientDataJSON: text(answer.clientDataJSON) };
  if (answer instanceof AuthenticatorAttestationResponse) {
    response.attestationObject = text(answer.attestationObject);
    response.transports = answer.getTransports();
  }
  if (answer instanceof AuthenticatorAssertionResponse) {
    response.authenticatorData = text(answer.authenticatorData);
    response.signature = text(answer.signature);
    response.userHandle = answer.userHandle && text(answer.userHandle);
  }
  return {
    id: given.id,
    rawId: text(given.rawId),
    type: given.type,
    authenticatorAttachment: given.authenticatorAttachment,
    clientExtensionResults: given.getClientExtensionResults(),
    response,
  };
}

function bytes(base64url: string): Uint8Array<ArrayBuffer> {
  const plain = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function text(buffer: ArrayBuffer): string {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function field(form: HTMLFormElement, name: string): HTMLInputElement {
  return form.elements.namedItem(name) as HTMLInputElement;
}

function say(form: HTMLFormElement, what: string): void {
  const place = form.querySelector("[data-passkey-said]");
  if (place) place.textContent = what;
}
