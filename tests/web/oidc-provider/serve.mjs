// Serves the certified provider on 127.0.0.1: node serve.mjs PORT REDIRECT_URI. Any password will do: you are who you say.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import Provider from "oidc-provider";

const [port, redirectUri] = process.argv.slice(2);
const client = { redirect_uris: [redirectUri], response_types: ["code"], grant_types: ["authorization_code"] };
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { ...client, client_id: "basic", client_secret: "s%cret: /+~", token_endpoint_auth_method: "client_secret_basic" },
    { ...client, client_id: "none", token_endpoint_auth_method: "none" },
  ],
  clientAuthMethods: ["client_secret_basic", "none"],
  pkce: { required: () => true },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["preferred_username"] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: id, email_verified: true, preferred_username: id }) }),
  cookies: { keys: [randomBytes(16).toString("hex")] },
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: "one" }] },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
