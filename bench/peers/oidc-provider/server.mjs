// oidc-provider as a hospital's sign-in, for tests: node server.mjs PORT SETTINGS.json
//
// SETTINGS: { key, certificate: paths of PEM; client: metadata of the one client; accounts: { login: { sub, …claims } },
// acr: what every sign-in counts as }. Whoever writes a known login into its form is signed in: it asks for no password.
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { loopback, port } from '../node/loopback.mjs';

// It says at every start what a deployment must not leave as it is; this is none.
console.warn = console.info = () => {};
const { default: Provider } = await import('oidc-provider');
const settings = JSON.parse(readFileSync(process.argv[3]));
const { accounts, acr, client } = settings;
const claimsOf = (sub) => Object.values(accounts).find((one) => one.sub === sub);

function serve(issuer) {
  const provider = new Provider(issuer, {
    clients: [client],
    cookies: { keys: ['of a test alone'] },
    acrValues: acr ? [acr] : [],
    claims: { openid: ['sub', 'acr', 'amr', 'auth_time'], profile: ['name'], email: ['email'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (ctx, sub) => {
      const claims = claimsOf(sub);
      return claims && { accountId: sub, claims: () => claims };
    },
    loadExistingGrant: async (ctx) => {
      const grant = new provider.Grant({ clientId: client.client_id, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
  });
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next();
    const { prompt, params } = await provider.interactionDetails(ctx.req, ctx.res);
    const login = ctx.method === 'POST' ? new URLSearchParams(await text(ctx.req)).get('login') : null;
    if (login === null) {
      ctx.type = 'html';
      ctx.body = page(prompt.name, params.login_hint ?? '');
      return undefined;
    }
    const account = accounts[login];
    const result = account
      ? { login: { accountId: account.sub, acr: acr || undefined, amr: account.amr } }
      : { error: 'access_denied', error_description: 'nobody of that name' };
    ctx.status = 303;
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: false }));
    return undefined;
  });
  return provider.callback();
}

async function text(request) {
  let whole = '';
  for await (const part of request) whole += part;
  return whole;
}

function page(prompt, hint) {
  return `<!doctype html><html lang="en"><title>Sign in</title><h1>Hospital sign-in</h1><form method="post">
<label>Login <input name="login" value="${hint.replace(/[^\w.-]/g, '')}" autofocus></label>
<button>Go on</button><p>${prompt}</p></form></html>`;
}

let answer = (request, response) => response.writeHead(503).end();
loopback(import.meta.url, 'oidc-provider');
const server = https.createServer(
  { key: readFileSync(settings.key), cert: readFileSync(settings.certificate) },
  (request, response) => answer(request, response),
);
server.once('listening', () => {
  answer = serve(`https://localhost:${server.address().port}`);
});
server.listen(port);
