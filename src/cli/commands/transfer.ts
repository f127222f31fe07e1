/** `push`, `pull` and `sync`. */
import type { SyncRequest } from "../../sync/api.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { failureLines, partialFailure, pullLines, pushLines } from "./traffic.ts";

function request(
  invocation: InvocationOf<"push" | "pull" | "sync">,
): SyncRequest {
  const selection = invocation.command === "sync" ? { sessions: [], all: false } : invocation;
  return {
    // Hooks of the first releases pass an empty id, which means everything.
    sessions: selection.sessions.filter((id) => id !== ""),
    all: selection.all,
    dryRun: invocation.dryRun,
  };
}

/** Sends what is new here. */
export async function push(
  deps: CommandDeps,
  invocation: InvocationOf<"push">,
): Promise<Answer> {
  const result = await deps.service.push(deps.context, request(invocation));
  return {
    json: { ...result },
    result: pushLines(result),
    talk: failureLines(result.failures),
    ...partialFailure(result.failed),
  };
}

/** Brings what is new in the vault. */
export async function pull(
  deps: CommandDeps,
  invocation: InvocationOf<"pull">,
): Promise<Answer> {
  const result = await deps.service.pull(deps.context, request(invocation));
  return {
    json: { ...result },
    result: pullLines(result, deps.world.platform.host.os),
    talk: failureLines(result.failures),
    ...partialFailure(result.failures.length),
  };
}

/** Both, in this order: pull, push. */
export async function sync(
  deps: CommandDeps,
  invocation: InvocationOf<"sync">,
): Promise<Answer> {
  const result = await deps.service.sync(deps.context, request(invocation));
  const failures = [...result.pull.failures, ...result.push.failures];
  return {
    json: { pull: result.pull, push: result.push },
    result: [
      ...pullLines(result.pull, deps.world.platform.host.os),
      ...pushLines(result.push),
    ],
    talk: failureLines(failures),
    ...partialFailure(result.pull.failures.length + result.push.failed),
  };
}
