import { once } from "../base/once.ts";
import type { SyncService } from "./api.ts";
import { runPull, runPush, runSync } from "./run.ts";

/** All but the use cases of every day: loading them takes longer than a push of nothing. */
export const otherUseCases = once(async () => {
  return (await import("./other_use_cases.ts")).otherUseCases;
});

/** The use cases, for `cli`. */
export const syncService: SyncService = {
  push: runPush,
  pull: runPull,
  sync: runSync,
  init: async (...given) => await (await otherUseCases()).init(...given),
  status: async (...given) => await (await otherUseCases()).status(...given),
  list: async (...given) => await (await otherUseCases()).list(...given),
  storeInfo: async (...given) => await (await otherUseCases()).storeInfo(...given),
  storeTest: async (...given) => await (await otherUseCases()).storeTest(...given),
  storeMove: async (...given) => await (await otherUseCases()).storeMove(...given),
  gc: async (...given) => await (await otherUseCases()).gc(...given),
  verify: async (...given) => await (await otherUseCases()).verify(...given),
  keyExport: async (...given) => await (await otherUseCases()).keyExport(...given),
  keyImport: async (...given) => await (await otherUseCases()).keyImport(...given),
  keyFingerprint: async (...given) => await (await otherUseCases()).keyFingerprint(...given),
  projectList: async (...given) => await (await otherUseCases()).projectList(...given),
  projectMap: async (...given) => await (await otherUseCases()).projectMap(...given),
  projectUnmap: async (...given) => await (await otherUseCases()).projectUnmap(...given),
  projectExclude: async (...given) => await (await otherUseCases()).projectExclude(...given),
  resume: async (...given) => await (await otherUseCases()).resume(...given),
  diff: async (...given) => await (await otherUseCases()).diff(...given),
  import: async (...given) => await (await otherUseCases()).import(...given),
  log: async (...given) => await (await otherUseCases()).log(...given),
  restore: async (...given) => await (await otherUseCases()).restore(...given),
  restoreVersions: async (...given) => await (await otherUseCases()).restoreVersions(...given),
  restoreFile: async (...given) => await (await otherUseCases()).restoreFile(...given),
  fileVersions: async (...given) => await (await otherUseCases()).fileVersions(...given),
  listFiles: async (...given) => await (await otherUseCases()).listFiles(...given),
  forget: async (...given) => await (await otherUseCases()).forget(...given),
  listForgotten: async (...given) => await (await otherUseCases()).listForgotten(...given),
  hookWorker: async (...given) => await (await otherUseCases()).hookWorker(...given),
};
