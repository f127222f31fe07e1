/** What happened: this machine's runs, and what the others did. The store is not asked. */
import type { SyncContext } from "./api.ts";
import { othersActivity } from "./activity.ts";
import type { LogLine, LogReport, LogRequest } from "./history_api.ts";
import { homePaths, readMachineFile } from "./home.ts";
import { readJournal } from "./journal.ts";
import { requireConfig, withLocalState } from "./vault_access.ts";

/** See `SyncService.log`. Errors: `not-set-up`, `local-io`. */
export async function showLog(context: SyncContext, request: LogRequest): Promise<LogReport> {
  const { machineName } = requireConfig(context);
  const paths = homePaths(context.home);
  const here = readJournal(context.platform, paths)
    .filter(({ ok }) => !request.errors || !ok)
    .map((record): LogLine => ({ source: "here", ...record }));
  const others = request.errors ? [] : await withLocalState(context, "reader", (local) => {
    const own = readMachineFile(context.platform, paths)?.tag ?? null;
    return Promise.resolve(othersActivity(local.database, own));
  });
  const { sinceMs, limit } = request;
  const lines = [...others.map((row): LogLine => ({ source: "vault", ...row })), ...here.reverse()]
    .filter(({ atMs }) => sinceMs === null || atMs >= sinceMs)
    // Of one instant the order stays: a journal's is that of its lines.
    .sort((a, b) => b.atMs - a.atMs);
  return { machineName, lines: lines.slice(0, limit), more: Math.max(0, lines.length - limit) };
}
