import type { SyncService } from "./api.ts";
import { forgetSessions } from "./forget.ts";
import { runGc } from "./gc.ts";
import { runHookWorker } from "./hook_worker.ts";
import { initVault } from "./init.ts";
import { exportKey, fingerprint, importKey } from "./keys.ts";
import { listSessions, statusOf } from "./overview.ts";
import { excludeProject, listProjects, mapProject, unmapProject } from "./project_maps.ts";
import { listForgotten } from "./recall.ts";
import { resumeSession } from "./resume.ts";
import { runPull, runPush, runSync } from "./run.ts";
import { storeInfo, storeTest } from "./store_info.ts";
import { moveVault } from "./store_move.ts";
import { verifyVault } from "./verify.ts";

/** The use cases, for `cli`. */
export const syncService: SyncService = {
  init: initVault,
  push: runPush,
  pull: runPull,
  sync: runSync,
  status: statusOf,
  list: listSessions,
  storeInfo,
  storeTest,
  storeMove: moveVault,
  gc: runGc,
  verify: verifyVault,
  keyExport: exportKey,
  keyImport: importKey,
  keyFingerprint: fingerprint,
  projectList: listProjects,
  projectMap: mapProject,
  projectUnmap: unmapProject,
  projectExclude: excludeProject,
  resume: resumeSession,
  forget: forgetSessions,
  listForgotten,
  hookWorker: runHookWorker,
};
