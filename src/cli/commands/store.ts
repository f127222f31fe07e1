/** `store info`, `store test`, `store move`. */
import type { MoveResult, StoreInfo, StoreTest } from "../../sync/store_api.ts";
import type { StoreFact } from "../../storage/store_facts.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { CONSEQUENCES, type ErrorReport } from "../error_report.ts";
import { bytesText, countText, durationText, numberText } from "../humanise.ts";
import { askKeyPair } from "../key_pair.ts";
import { shellWord } from "../shell_quote.ts";
import { flagsOf, placeDefaults, placeOf } from "../store_flags.ts";
import { tableLines, terminalText } from "../terminal_text.ts";

/** Looks at the whole store. */
export async function storeInfo(deps: CommandDeps): Promise<Answer> {
  const info = await deps.service.storeInfo(deps.context);
  return { json: { ...info }, data: infoLines(info) };
}

function infoLines(info: StoreInfo): string[] {
  const groups = [info.entries, info.packs, info.others];
  const objects = groups.reduce((sum, group) => sum + group.objects, 0);
  const bytes = groups.reduce((sum, group) => sum + group.bytes, 0);
  const machines = info.machines === 0
    ? "no machine has pushed yet"
    : `${countText(info.machines, "machine")} ${info.machines === 1 ? "has" : "have"} pushed`;
  const ways = info.batching
    ? "several objects in one step"
    : `${countText(info.concurrency, "request")} side by side`;
  const rows: [string, string][] = [
    ["Store", terminalText(info.store)],
    ["Distance", `${numberText(info.latencyMs)} ms a round trip`],
    ["Works with", ways],
    ...factRows(info.facts),
    ["Vault", `${countText(objects, "object")}, ${bytesText(bytes)}; ${machines}`],
    [
      "",
      `${countText(info.entries.objects, "log entry", "log entries")} ` +
      `(${bytesText(info.entries.bytes)}), ${countText(info.packs.objects, "pack")} ` +
      `(${bytesText(info.packs.bytes)}), ${numberText(info.others.objects)} other`,
    ],
  ];
  if (info.strangers.objects > 0) {
    const { objects, bytes } = info.strangers;
    rows.push(["Beside it", `${countText(objects, "object")} of others, ${bytesText(bytes)}`]);
  }
  return [...tableLines([...rows, ...costRows(info)]), cost(info)];
}

function costRows({ cost }: StoreInfo): [string, string][] {
  if (cost === null) return [];
  const parts = `storage ${usd(cost.storageUsd)}, requests ${usd(cost.requestsUsd)}, ` +
    `downloads ${usd(cost.egressUsd)}`;
  return [
    ["Cost", `about ${usd(cost.totalUsd)} a month, an estimate: ${parts}`],
    ["", `list prices of ${cost.provider}, ${cost.asOf}: ${cost.source}`],
  ];
}

/** Dollars, to the cent; less than one is said to be so. */
function usd(amount: number): string {
  return amount > 0 && amount < 0.01 ? "under $0.01" : `$${amount.toFixed(2)}`;
}

function cost({ requests, ms }: { readonly requests: number; readonly ms: number }): string {
  return `(${countText(requests, "request")}, ${durationText(ms)})`;
}

/** What a driver knows, a row each. */
export function factRows(facts: readonly StoreFact[]): [string, string][] {
  return facts.map(({ name, value }) => {
    const title = terminalText(name);
    return [title.charAt(0).toUpperCase() + title.slice(1), terminalText(value)];
  });
}

/** Tries the store. Its exit code is that of the first step that failed. */
export async function storeTest(deps: CommandDeps): Promise<Answer> {
  if (deps.flags.dryRun) {
    return {
      json: { dryRun: true },
      result: ["Would put a small object there, read, list and delete it.  (nothing was written)"],
    };
  }
  const test = await deps.service.storeTest(deps.context);
  const answer: Answer = { json: { ...test }, data: testLines(test, deps.paint) };
  const failure = failureOf(test);
  return failure === null ? answer : { ...answer, failure, isExplained: true };
}

function testLines(test: StoreTest, paint: CommandDeps["paint"]): string[] {
  const lines = tableLines([["Store", terminalText(test.store)], ...factRows(test.facts)]);
  for (const step of test.steps) {
    const operation = step.operation.padEnd(OPERATION_COLUMNS);
    if (step.outcome === "ok") {
      lines.push(`${paint("good", "ok")}    ${operation}  ${numberText(step.ms)} ms`);
      continue;
    }
    if (step.outcome === "skipped") {
      lines.push(`${paint("dim", "-")}     ${operation}  not tried, as an earlier step failed`);
      continue;
    }
    const message = terminalText(step.message ?? "", HINT_GRAPHEMES_MAX);
    lines.push(`${paint("bad", "fail")}  ${operation}  ${message}`);
    const hint = step.hint ?? (step.code === null ? null : CONSEQUENCES[step.code].hint);
    if (hint !== null) {
      const indent = " ".repeat(OPERATION_COLUMNS + 8);
      lines.push(`${indent}${terminalText(hint, HINT_GRAPHEMES_MAX)}`);
    }
  }
  const failed = test.steps.filter(({ outcome }) => outcome === "failed").length;
  const verdict = failed === 0
    ? "All of it works."
    : `${numberText(failed)} of ${countText(test.steps.length, "step")} failed.`;
  return [...lines, `${verdict}  ${cost(test)}`];
}

/** As wide as the longest operation. */
const OPERATION_COLUMNS = 10;
/** A hint may hold a policy to paste. */
const HINT_GRAPHEMES_MAX = 2000;

function failureOf(test: StoreTest): ErrorReport | null {
  const first = test.steps.find(({ outcome }) => outcome === "failed");
  if (first === undefined || first.code === null) return null;
  return {
    code: first.code,
    exit: CONSEQUENCES[first.code].exit,
    message: terminalText(first.message ?? "", HINT_GRAPHEMES_MAX),
    facts: [],
    why: [],
    hint: first.hint === null
      ? CONSEQUENCES[first.code].hint
      : terminalText(first.hint, HINT_GRAPHEMES_MAX),
    stack: null,
  };
}

/** Takes the vault to another place. */
export async function storeMove(
  deps: CommandDeps,
  invocation: InvocationOf<"store move">,
): Promise<Answer> {
  const { host } = deps.world.platform;
  const defaults = await placeDefaults(invocation, deps.world.platform);
  const location = placeOf(invocation, host, defaults);
  const result = await deps.service.storeMove(deps.context, {
    location,
    createBucket: invocation.createBucket,
    keys: invocation.saveCredentials ? await askKeyPair(deps) : null,
    dryRun: invocation.dryRun,
  });
  const again = ["claude-sync", "store", "move", ...flagsOf(location)]
    .map((word) => shellWord(host.os, terminalText(word, HINT_GRAPHEMES_MAX))).join(" ");
  return { json: { ...result }, result: moveLines(result, again) };
}

function moveLines(result: MoveResult, again: string): string[] {
  const { objects, copied, copiedBytes, verified } = result;
  const there = objects - copied;
  if (result.dryRun) {
    return [
      `Would copy ${countText(copied, "object")}, ${bytesText(copiedBytes)}, to ` +
      `${terminalText(result.store)}  (nothing was written)`,
      ...(there > 0 ? [`${countText(there, "object")} of this vault are there already.`] : []),
    ];
  }
  return [
    `Moved the vault to ${terminalText(result.store)}: ${countText(objects, "object")}, ` +
    `${numberText(copied)} copied (${bytesText(copiedBytes)}), ${numberText(verified)} read back ` +
    `and the same  ${cost(result)}`,
    `This machine uses it from now on. Nothing was deleted at ${terminalText(result.from)}.`,
    "",
    "On every other machine of this vault, with its own keys for the new place:",
    `  ${again}`,
    result.inside
      ? `Do not delete ${terminalText(result.from)} as a whole: the new place is in it.`
      : `When all have moved, and not before, ${terminalText(result.from)} may go.`,
  ];
}
