// An OpenID provider for tests: the certified `oidc-provider` on a free port, which issues access tokens as JWTs.
//
// Prints its addresses as one line of JSON, and ends with its standard input. Beside the provider it serves
// `POST /forge`: a token with any claims, signed with the provider's own key, another one, or not at all.
import { createServer } from 'node:http';
import { createHash } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { Provider } from 'oidc-provider';

const AUDIENCE = 'https://gateway.example';
const clients = JSON.parse(process.env.CLIENTS);

const own = await generateKeyPair('RS256', { extractable: true });
const stranger = await generateKeyPair('RS256', { extractable: true });
const jwk = { ...(await exportJWK(own.privateKey)), use: 'sig', alg: 'RS256', kid: 'own' };
const publicPem = await exportSPKI(own.publicKey);

const server = createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  jwks: { keys: [jwk] },
  clients: clients.map((client) => ({
    client_id: client.id,
    client_secret: client.secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
  })),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => AUDIENCE,
      getResourceServerInfo: (_, resource) => ({
        scope: '',
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 3600,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  extraTokenClaims: (_, token) => clients.find((client) => client.id === token.clientId)?.claims,
});

const forge = async ({ claims, key = 'own', alg = 'RS256' }) => {
  if (alg === 'none') return new UnsecuredJWT(claims).encode();
  // With a public key as the shared secret: verifiers that believe the header's algorithm take it.
  const secret = alg.startsWith('HS')
    ? new TextEncoder().encode(publicPem)
    : { own, stranger }[key].privateKey;
  return new SignJWT(claims).setProtectedHeader({ alg, kid: 'own', typ: 'at+jwt' }).sign(secret);
};

const callback = provider.callback();
let asked = 0;
server.on('request', async (request, response) => {
  if (request.url.startsWith('/jwks')) asked += 1;
  if (request.url !== '/forge') return callback(request, response);
  let body = '';
  for await (const chunk of request) body += chunk;
  const token = await forge(JSON.parse(body));
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ token, digest: createHash('sha256').update(token).digest('hex'), asked }));
});
process.stdin.resume().on('end', () => process.exit(0));
console.log(JSON.stringify({ issuer, audience: AUDIENCE, jwks_uri: `${issuer}/jwks`, token: `${issuer}/token`, forge: `${issuer}/forge` }));
