/** `init`. */
import type { InitResult } from "../../sync/api.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { bytesText, countText, numberText } from "../humanise.ts";
import { askKeyPair } from "../key_pair.ts";
import { shellWord } from "../shell_quote.ts";
import { placeDefaults, placeOf } from "../store_flags.ts";
import { tableLines, terminalText } from "../terminal_text.ts";
import { factRows } from "./store.ts";

/** Makes a vault in a place, or joins the one that is there. */
export async function init(
  deps: CommandDeps,
  invocation: InvocationOf<"init">,
): Promise<Answer> {
  const { host } = deps.world.platform;
  const defaults = await placeDefaults(invocation, deps.world.platform);
  const location = placeOf(invocation, host, defaults);
  const result = await deps.service.init(deps.context, {
    location,
    machineName: invocation.machine ?? null,
    dryRun: invocation.dryRun,
    createBucket: invocation.createBucket,
    keys: invocation.saveCredentials ? await askKeyPair(deps) : null,
  });
  return {
    json: { ...result, dryRun: invocation.dryRun },
    result: invocation.dryRun
      ? dryRunLines(result)
      : initLines(result, (path) => shellWord(host.os, path)),
  };
}

/** Facts worth knowing at once; `store info` has all. */
const SHOWN_FACTS: readonly string[] = ["region", "credentials", "signed in as"];

function dryRunLines(result: InitResult): string[] {
  const store = terminalText(result.store);
  const would = {
    created: `Would make a new vault and a new key  ${store}`,
    joined: `Would join the vault that is there; this machine's key opens it  ${store}`,
    "needs-key": `Would join the vault that is there; its key is not here yet  ${store}`,
    unchanged: `Nothing to do: this machine uses that vault already  ${store}`,
    followed: `Would follow this machine's vault to its new place  ${store}`,
  } as const;
  return [`${would[result.outcome]}  (nothing was written)`];
}

function initLines(result: InitResult, quote: (path: string) => string): string[] {
  const isNew = result.outcome === "created";
  const keyFile = terminalText(result.keyFile);
  const key = result.keyFingerprint === null
    ? "not here yet"
    : `${terminalText(result.keyFingerprint)}  ${isNew ? "new, kept in" : "in"} ${keyFile}`;
  const facts = tableLines([
    ["Vault", `${terminalText(result.store)}  ${isNew ? "(new)" : "(was there)"}`],
    ...factRows(result.facts.filter(({ name }) => SHOWN_FACTS.includes(name))),
    ...distanceRows(result.latencyMs),
    ["Machine", terminalText(result.machineName)],
    ["Key", key],
    ["Found", `${countText(result.localSessions, "session")}, ${bytesText(result.localBytes)}`],
  ]);
  switch (result.outcome) {
    case "created":
      return [...facts, "", ...backupLines(), "", ...nextLines(result)];
    case "joined":
      return [...facts, "", "This machine's key opens the vault.", "", ...nextLines(result)];
    case "needs-key":
      return [...facts, "", ...needsKeyLines(quote(keyFile))];
    case "followed":
      return [...facts, "", "This machine uses its vault in the new place from now on."];
    case "unchanged":
      return [unchangedLine(result), "", ...facts];
  }
}

/** Of buckets, keys, region and address style are taken anew each time. */
function unchangedLine({ latencyMs }: InitResult): string {
  return latencyMs === null
    ? "Nothing to do: this machine uses that vault already."
    : "This machine uses that vault already, and reaches it as you say now.";
}

function distanceRows(latencyMs: number | null): [string, string][] {
  if (latencyMs === null) return [];
  return [["Tried", `put, get and list work, ${numberText(latencyMs)} ms away`]];
}

function backupLines(): string[] {
  return [
    "Back up the key now: without it nobody can read the vault, you included.",
    "  claude-sync key export        prints it, for your password manager or on paper",
  ];
}

function nextLines(result: InitResult): string[] {
  const first = result.outcome === "created"
    ? ["claude-sync push", "send the sessions of this machine"]
    : ["claude-sync sync", "bring and send sessions"];
  return [
    "Next",
    ...tableLines([
      first,
      ["claude-sync install --global", "let Claude Code sync by itself"],
    ]).map((line) => `  ${line}`),
  ];
}

function needsKeyLines(keyFile: string): string[] {
  return [
    "This machine is set up, but the vault's key is not here yet. Bring it in one of these ways:",
    "  claude-sync key export | ssh THIS-MACHINE claude-sync key import    on a machine that works",
    "  claude-sync key import                                              here, then paste it",
    `  base64 -d > ${keyFile}    here, by hand`,
  ];
}
