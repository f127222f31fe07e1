/**
 * The services that give out access tokens: OAuth, impersonation, exchange of foreign tokens, and
 * the metadata server of a virtual machine. Each checks all that Google's documentation asks for.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { verify } from "node:crypto";
import * as z from "zod/mini";
import { type Identities, STS_URI, SUBJECT_TOKEN_TYPE, TOKEN_URI } from "./identities.ts";
import {
  apiRefusal,
  type GcsReply,
  type GcsRequest,
  jsonReply,
  oauthRefusal,
  Refusal,
} from "./reply.ts";
import { areKnownScopes, type Grant, type Tokens } from "./tokens.ts";

const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
const CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform";

/** An assertion lives an hour at most. */
const ASSERTION_SECONDS_MAX = 3600;
/** So far may a client's clock be ahead. */
const CLOCK_SKEW_SECONDS = 300;

/** What the services work with. */
export interface TokenServicesOptions {
  readonly identities: Identities;
  readonly tokens: Tokens;
  nowMs(): number;
  /** How long a token is good for. */
  lifetimeSeconds(): number;
  /** Whether users must log in again: their refresh tokens get `invalid_rapt`. */
  mustLogInAgain(): boolean;
  /** Whether the metadata server leaves its own header out, as another server would. */
  isImpostor(): boolean;
}

const Jwt = {
  header: z.object({ alg: z.literal("RS256"), typ: z.literal("JWT"), kid: z.string() }),
  claims: z.object({
    iss: z.string(),
    scope: z.string(),
    aud: z.string(),
    iat: z.number(),
    exp: z.number(),
  }),
};

const ImpersonationBody = z.object({
  scope: z.array(z.string()),
  lifetime: z.optional(z.string().check(z.regex(/^\d+s$/))),
  delegates: z.optional(z.array(z.string())),
});

/** The token services. */
export class TokenServices {
  readonly #options: TokenServicesOptions;

  constructor(options: TokenServicesOptions) {
    this.#options = options;
  }

  /** Answers a request to one of Google's hosts other than the storage itself. */
  answer(host: string, request: GcsRequest): GcsReply {
    const { method, path } = request;
    if (host === "metadata.google.internal") return this.#metadata(request);
    if (method !== "POST") throw apiRefusal(405, "INVALID_ARGUMENT", "Only POST is known here");
    if (`https://${host}${path}` === TOKEN_URI) return this.#oauthToken(formOf(request));
    if (`https://${host}${path}` === STS_URI) return this.#exchange(formOf(request));
    const account = /^\/v1\/projects\/-\/serviceAccounts\/([^/:]+):generateAccessToken$/.exec(path);
    if (host === "iamcredentials.googleapis.com" && account !== null) {
      return this.#impersonate(decodeURIComponent(account[1]!), request);
    }
    throw apiRefusal(404, "NOT_FOUND", `There is no ${path} at ${host}`);
  }

  #oauthToken(form: URLSearchParams): GcsReply {
    const type = form.get("grant_type");
    if (type === JWT_BEARER) return this.#forAssertion(form.get("assertion") ?? "");
    if (type === "refresh_token") return this.#forRefreshToken(form);
    throw oauthRefusal(400, "unsupported_grant_type", `Invalid grant_type: ${type}`);
  }

  #forAssertion(assertion: string): GcsReply {
    const { serviceAccount } = this.#options.identities;
    const invalid = (why: string) => oauthRefusal(400, "invalid_grant", why);
    const [header = "", claims = "", signature = "", ...rest] = assertion.split(".");
    const head = Jwt.header.safeParse(decodePart(header));
    const body = Jwt.claims.safeParse(decodePart(claims));
    if (!head.success || !body.success || rest.length > 0) {
      throw invalid("Invalid JWT: its form, header or claims are wrong");
    }
    const signed = Buffer.from(`${header}.${claims}`);
    const bytes = Buffer.from(signature, "base64url");
    const { iss, scope, aud, iat, exp } = body.data;
    if (iss !== serviceAccount.email) throw invalid("Invalid grant: account not found");
    if (
      head.data.kid !== serviceAccount.privateKeyId ||
      !verify("RSA-SHA256", signed, serviceAccount.publicKey, bytes)
    ) {
      throw invalid("Invalid JWT Signature.");
    }
    if (aud !== TOKEN_URI) throw invalid(`Invalid JWT: the audience is not ${TOKEN_URI}`);
    const now = this.#options.nowMs() / 1000;
    const isFresh = iat <= now + CLOCK_SKEW_SECONDS && exp > now && exp > iat &&
      exp - iat <= ASSERTION_SECONDS_MAX;
    if (!isFresh) {
      throw invalid(
        "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable",
      );
    }
    return this.#oauthReply(iss, scope.split(" "));
  }

  #forRefreshToken(form: URLSearchParams): GcsReply {
    const { user } = this.#options.identities;
    if (
      form.get("client_id") !== user.clientId || form.get("client_secret") !== user.clientSecret
    ) {
      throw oauthRefusal(401, "invalid_client", "The OAuth client was not found.");
    }
    if (this.#options.mustLogInAgain()) {
      const more = { error_subtype: "invalid_rapt" };
      throw oauthRefusal(400, "invalid_grant", "reauth related error (invalid_rapt)", more);
    }
    if (form.get("refresh_token") !== user.refreshToken) {
      throw oauthRefusal(400, "invalid_grant", "Token has been expired or revoked.");
    }
    // The scopes are those of the login, whatever is asked for.
    return this.#oauthReply(user.email, [CLOUD_PLATFORM]);
  }

  #exchange(form: URLSearchParams): GcsReply {
    const { external } = this.#options.identities;
    const expected = {
      grant_type: TOKEN_EXCHANGE,
      requested_token_type: ACCESS_TOKEN,
      audience: external.audience,
      subject_token_type: SUBJECT_TOKEN_TYPE,
    };
    for (const [name, value] of Object.entries(expected)) {
      if (form.get(name) !== value) {
        throw oauthRefusal(400, "invalid_request", `Invalid value for "${name}".`);
      }
    }
    if (form.get("subject_token") !== external.subjectToken) {
      throw oauthRefusal(400, "invalid_grant", "The subject token cannot be verified.");
    }
    const scopes = (form.get("scope") ?? "").split(" ");
    const principal = `principal:${external.audience}/subject/one`;
    const { access_token, ...reply } = this.#oauthFields(principal, scopes);
    return jsonReply(200, { access_token, issued_token_type: ACCESS_TOKEN, ...reply });
  }

  #impersonate(account: string, request: GcsRequest): GcsReply {
    const { identities, tokens, nowMs, lifetimeSeconds } = this.#options;
    const [scheme = "", token = ""] = (request.headers.get("authorization") ?? "").split(" ");
    const grant = scheme === "Bearer" ? tokens.grantOf(token, nowMs()) : null;
    if (grant === null) {
      throw apiRefusal(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.");
    }
    const isAllowed = account === identities.impersonated.email &&
      grant.scopes.includes(CLOUD_PLATFORM);
    if (!isAllowed) {
      const right = "iam.serviceAccounts.getAccessToken";
      throw apiRefusal(403, "PERMISSION_DENIED", `Permission '${right}' denied on resource`);
    }
    const body = ImpersonationBody.safeParse(parseJson(Buffer.from(request.body).toString("utf8")));
    if (!body.success || !areKnownScopes(body.data.scope)) {
      throw apiRefusal(400, "INVALID_ARGUMENT", "Request contains an invalid argument.");
    }
    const seconds = Math.min(parseInt(body.data.lifetime ?? "3600"), lifetimeSeconds());
    const expiresMs = nowMs() + seconds * 1000;
    const accessToken = tokens.issue({ principal: account, scopes: body.data.scope, expiresMs });
    return jsonReply(200, { accessToken, expireTime: new Date(expiresMs).toISOString() });
  }

  #metadata({ method, path, headers }: GcsRequest): GcsReply {
    const isAsked = headers.get("metadata-flavor") === "Google" && !headers.has("x-forwarded-for");
    if (!isAsked) {
      throw new Refusal({ status: 403, body: "Missing Metadata-Flavor:Google header." });
    }
    const account = "/computeMetadata/v1/instance/service-accounts/default";
    const { machine } = this.#options.identities;
    const flavor = this.#options.isImpostor() ? {} : { "metadata-flavor": "Google" };
    const isKnown = method === "GET" && [`${account}/token`, `${account}/email`].includes(path);
    if (!isKnown) return { status: 404, headers: { ...flavor }, body: "Not Found" };
    if (path.endsWith("/email")) {
      return { status: 200, headers: { ...flavor }, body: machine.email };
    }
    const reply = this.#oauthReply(machine.email, [CLOUD_PLATFORM]);
    return { ...reply, headers: { ...reply.headers, ...flavor } };
  }

  #oauthReply(principal: string, scopes: readonly string[]): GcsReply {
    return jsonReply(200, this.#oauthFields(principal, scopes));
  }

  #oauthFields(principal: string, scopes: readonly string[]) {
    if (!areKnownScopes(scopes)) {
      throw oauthRefusal(
        400,
        "invalid_scope",
        "Invalid OAuth scope or ID token audience provided.",
      );
    }
    const seconds = this.#options.lifetimeSeconds();
    const grant: Grant = { principal, scopes, expiresMs: this.#options.nowMs() + seconds * 1000 };
    const access_token = this.#options.tokens.issue(grant);
    return { access_token, expires_in: seconds, token_type: "Bearer" };
  }
}

function formOf({ headers, body }: GcsRequest): URLSearchParams {
  const type = headers.get("content-type") ?? "";
  if (!type.startsWith("application/x-www-form-urlencoded")) {
    throw oauthRefusal(400, "invalid_request", `The body is no form, but "${type}"`);
  }
  return new URLSearchParams(Buffer.from(body).toString("utf8"));
}

function decodePart(part: string): unknown {
  return parseJson(Buffer.from(part, "base64url").toString("utf8"));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No form expects this.
    return undefined;
  }
}
