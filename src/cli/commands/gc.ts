/** `gc`. */
import { ClaudeSyncError } from "../../errors.ts";
import type { GcResult, GivenUpMachine, ObjectTally, Restated } from "../../sync/gc_api.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import { askToType, canAsk } from "../ask.ts";
import type { InvocationOf } from "../command_line.ts";
import { agoText, bytesText, countText, durationText } from "../humanise.ts";
import { terminalText } from "../terminal_text.ts";

/** Makes the vault small again. */
export async function gc(deps: CommandDeps, invocation: InvocationOf<"gc">): Promise<Answer> {
  const declined: string[] = [];
  let result: GcResult;
  try {
    result = await deps.service.gc(deps.context, {
      dryRun: invocation.dryRun,
      machine: invocation.machine ?? null,
      approve: deps.flags.yes ? null : async (machine) => {
        const isApproved = await approve(deps, machine);
        if (!isApproved) declined.push(terminalText(machine.name));
        return isApproved;
      },
    });
  } catch (error) {
    if (declined.length === 0) throw error;
    // To say no is no failure.
    return { json: {}, talk: [`"${declined.join()}" was not given up.`] };
  }
  const lines = gcLines(result);
  const { requests, ms } = result;
  const cost = `(${countText(requests, "request")}, ${durationText(ms)})`;
  lines[0] = `${lines[0]}  ${cost}`;
  return { json: { ...result }, result: lines };
}

/** Whoever gives a machine up types its name; a recent one needs `--yes`. */
async function approve(deps: CommandDeps, machine: GivenUpMachine): Promise<boolean> {
  const { flags, world } = deps;
  const name = terminalText(machine.name);
  const again = `claude-sync gc --machine ${machine.id} --yes`;
  if (machine.isRecent) {
    const ago = agoText(machine.lastSeenMs, world.platform.clock.nowMs());
    throw new ClaudeSyncError("usage", `"${name}" was seen ${ago} and may not be lost`, {
      hint: `If it is: ${again}`,
    });
  }
  if (!await canAsk(world, flags)) {
    throw new ClaudeSyncError("usage", `Cannot ask whether "${name}" is to be given up`, {
      hint: `If it is: ${again}`,
    });
  }
  return await askToType(world, `Type "${name}" to give this machine up:`, name);
}

/** What was done, or would be; the first line is the most important. */
function gcLines(result: GcResult): string[] {
  const { dryRun, compacted, retired, deleted, waiting, leftovers } = result;
  const lines: string[] = [];
  if (retired !== null) lines.push(takenOverLine(retired, dryRun));
  if (compacted !== null) lines.push(compactedLine(compacted, dryRun));
  if (deleted.objects > 0) {
    lines.push(`${dryRun ? "Would delete" : "Deleted"} ${tallyText(deleted)}.`);
  }
  if (lines.length === 0) {
    const entries = countText(result.entries, "entry", "entries");
    lines.push(`Nothing to do: this machine's log has ${entries}, and nothing is due.`);
  }
  if (waiting !== null) {
    lines.push(
      `${tallyText(waiting)}, ${areText(waiting)} replaced and kept for the other machines: ` +
        `deleted ${dueText(waiting.daysLeft)}.`,
    );
  }
  if (leftovers !== null) {
    lines.push(
      `${tallyText(leftovers)}, ${
        areText(leftovers)
      } left by an interrupted push of this machine: ` +
        `deleted ${dueText(leftovers.daysLeft)}.`,
    );
  }
  return lines;
}

function compactedLine({ entries, written, keptPacks }: Restated, dryRun: boolean): string {
  const what = countText(entries, "log entry", "log entries");
  if (dryRun || written === null) return `Would compact ${what}${keptText(keptPacks)}.`;
  return `Compacted ${what} into ${writtenText(written)}${keptText(keptPacks)}.`;
}

function takenOverLine(
  { machine, entries, written, keptPacks }: Restated,
  dryRun: boolean,
): string {
  const name = terminalText(machine.name);
  const what = `${countText(entries, "log entry", "log entries")} of "${name}"`;
  if (dryRun || written === null) return `Would take over ${what}${keptText(keptPacks)}.`;
  return `Gave "${name}" up: took over ${countText(entries, "log entry", "log entries")} in ` +
    `${writtenText(written)}${keptText(keptPacks)}.`;
}

function writtenText({ entries, packs, bytes }: NonNullable<Restated["written"]>): string {
  const packText = packs === 0 ? "" : ` and ${countText(packs, "pack")}`;
  return `${entries}${packText} (${bytesText(bytes)})`;
}

function keptText(packs: number): string {
  return packs === 0
    ? ""
    : `; ${countText(packs, "pack")} stayed as ${packs === 1 ? "it is" : "they are"}`;
}

function tallyText({ objects, bytes }: ObjectTally): string {
  return `${countText(objects, "object")}, ${bytesText(bytes)}`;
}

function areText({ objects }: ObjectTally): string {
  return objects === 1 ? "is" : "are";
}

function dueText(daysLeft: number): string {
  if (daysLeft === 0) return "by the next gc";
  return `when this machine has looked at the vault on ${daysLeft} more ${
    daysLeft === 1 ? "day" : "days"
  }`;
}
