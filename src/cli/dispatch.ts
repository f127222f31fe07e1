/** Which function does which command. */
import { ClaudeSyncError } from "../errors.ts";
import type { SyncContext } from "../sync/api.ts";
import type { Answer, CommandDeps } from "./answer.ts";
import type { Invocation, InvocationOf } from "./command_line.ts";
import { pull, push, sync } from "./commands/transfer.ts";

/** What commands work with, before the use cases are loaded. */
export type BaseDeps = Omit<CommandDeps, "service" | "context">;

type Internal = InvocationOf<
  "hook session-start" | "hook session-end" | "hook stop" | "hook worker"
>;

/** Runs one command other than the hooks. */
export async function dispatch(
  base: BaseDeps,
  context: SyncContext,
  invocation: Exclude<Invocation, Internal>,
): Promise<Answer> {
  switch (invocation.command) {
    case "push":
      return await push(await withService(base, context), invocation);
    case "sync":
      return await sync(await withService(base, context), invocation);
    case "pull":
      return await withDeadline(
        base,
        context,
        invocation.withinSeconds,
        async (bounded) => pull(await withService(base, bounded), invocation),
      );
    default: {
      const { dispatchOther } = await import("./dispatch_other.ts");
      return await dispatchOther(base, context, invocation);
    }
  }
}

async function withService(base: BaseDeps, context: SyncContext): Promise<CommandDeps> {
  return { ...base, service: await base.world.service(), context };
}

/** Runs `work` with a signal that is also aborted after `seconds`, and does not wait any longer. */
async function withDeadline(
  base: BaseDeps,
  context: SyncContext,
  seconds: number | undefined,
  work: (context: SyncContext) => Promise<Answer>,
): Promise<Answer> {
  if (seconds === undefined) return await work(context);
  const deadline = new AbortController();
  const done = new AbortController();
  const late = base.world.platform.clock.sleep(seconds * 1000, done.signal).then(() => {
    const error = new ClaudeSyncError("store-unreachable", `Not done after ${seconds} s`);
    deadline.abort(error);
    throw error;
  });
  const signal = AbortSignal.any([context.signal, deadline.signal]);
  try {
    return await Promise.race([work({ ...context, signal }), late]);
  } finally {
    // Ends the timer; its rejection was either delivered above or has no reader any more.
    late.catch(() => {});
    done.abort();
  }
}
