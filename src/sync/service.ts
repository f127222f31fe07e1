import type { SyncService } from "./api.ts";
import { runPull, runPush, runSync } from "./run.ts";

async function others() {
  return (await import("./other_use_cases.ts")).otherUseCases;
}

/** The use cases, for `cli`. */
export const syncService: SyncService = {
  push: runPush,
  pull: runPull,
  sync: runSync,
  init: async (...given) => await (await others()).init(...given),
  status: async (...given) => await (await others()).status(...given),
  list: async (...given) => await (await others()).list(...given),
  storeInfo: async (...given) => await (await others()).storeInfo(...given),
  storeTest: async (...given) => await (await others()).storeTest(...given),
  storeMove: async (...given) => await (await others()).storeMove(...given),
  gc: async (...given) => await (await others()).gc(...given),
  verify: async (...given) => await (await others()).verify(...given),
  keyExport: async (...given) => await (await others()).keyExport(...given),
  keyImport: async (...given) => await (await others()).keyImport(...given),
  keyFingerprint: async (...given) => await (await others()).keyFingerprint(...given),
  projectList: async (...given) => await (await others()).projectList(...given),
  projectMap: async (...given) => await (await others()).projectMap(...given),
  projectUnmap: async (...given) => await (await others()).projectUnmap(...given),
  projectExclude: async (...given) => await (await others()).projectExclude(...given),
  resume: async (...given) => await (await others()).resume(...given),
  diff: async (...given) => await (await others()).diff(...given),
  import: async (...given) => await (await others()).import(...given),
  log: async (...given) => await (await others()).log(...given),
  restore: async (...given) => await (await others()).restore(...given),
  restoreVersions: async (...given) => await (await others()).restoreVersions(...given),
  forget: async (...given) => await (await others()).forget(...given),
  listForgotten: async (...given) => await (await others()).listForgotten(...given),
  hookWorker: async (...given) => await (await others()).hookWorker(...given),
};
