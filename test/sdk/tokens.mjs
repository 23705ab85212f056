// An OpenID client that knows nothing of Entra: it finds everything in the
// document of the issuer. It reads one job, JSON, from stdin, gets a token, checks
// it as the server of an API would, uses it, and writes one line of JSON.
import { text } from "node:stream/consumers";
import { createRemoteJWKSet, jwtVerify } from "jose";
import * as openid from "openid-client";

const job = JSON.parse(await text(process.stdin));
try {
  const config = await openid.discovery(new URL(job.issuer), job.client, job.secret, openid[job.auth](job.secret));
  const server = config.serverMetadata();
  const token = await openid.clientCredentialsGrant(config, job.parameters);
  const { payload } = await jwtVerify(token.access_token, createRemoteJWKSet(new URL(server.jwks_uri)), {
    issuer: server.issuer,
    audience: "api://trunklog",
    typ: "at+jwt",
  });
  const answer = await openid.fetchProtectedResource(config, token.access_token, new URL(job.resource), "GET");
  console.log(JSON.stringify({ status: answer.status, version: payload.ver, expires: token.expires_in }));
} catch (error) {
  console.log(JSON.stringify({ error: error.error ?? error.message, status: error.status ?? 0 }));
}
