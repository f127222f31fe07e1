/** `resume`. */
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { shellWord } from "../shell_quote.ts";
import { terminalText } from "../terminal_text.ts";

/** Brings a session here and starts the client in its folder. */
export async function resume(
  deps: CommandDeps,
  invocation: InvocationOf<"resume">,
): Promise<Answer> {
  const { platform, streams, releaseSignals } = deps.world;
  const words = invocation.query.join(" ").trim();
  const target = await deps.service.resume(deps.context, words === "" ? null : words, {
    dryRun: invocation.dryRun,
  });
  const argv = ["claude", "--resume", target.id, ...(invocation.rest ?? [])];
  const { os } = platform.host;
  const command = `cd ${shellWord(os, target.dir)} ${os === "windows" ? ";" : "&&"} ` +
    argv.map((word) => shellWord(os, word)).join(" ");
  const json = { ...target, argv };
  if (invocation.print || invocation.json || invocation.dryRun) return { json, data: [command] };
  const title = target.title === null ? target.id : `"${terminalText(target.title)}"`;
  if (!invocation.quiet) streams.err(`Resuming ${title} in ${terminalText(target.dir)}`);
  releaseSignals();
  const exit = await platform.processes.exec(argv, { cwd: target.dir });
  return { json, exit };
}
