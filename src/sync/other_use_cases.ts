/**
 * The use cases that a run with nothing to do never needs. To load them takes a good part of the
 * time that it has.
 */
import type { SyncService } from "./api.ts";
import { diffSession } from "./diff.ts";
import { forgetSessions } from "./forget.ts";
import { runGc } from "./gc.ts";
import { runHookWorker } from "./hook_worker.ts";
import { importSessions } from "./import.ts";
import { initVault } from "./init.ts";
import { exportKey, fingerprint, importKey } from "./keys.ts";
import { showLog } from "./log.ts";
import { listSessions, statusOf } from "./overview.ts";
import { excludeProject, listProjects, mapProject, unmapProject } from "./project_maps.ts";
import { listForgotten } from "./recall.ts";
import { listVersions, restoreSessions } from "./restore.ts";
import { fileVersions, listFiles, restoreFile } from "./restore_file.ts";
import { resumeSession } from "./resume.ts";
import { storeInfo, storeTest } from "./store_info.ts";
import { moveVault } from "./store_move.ts";
import { verifyVault } from "./verify.ts";

/** All use cases but push, pull and sync. */
export const otherUseCases: Omit<SyncService, "push" | "pull" | "sync"> = {
  init: initVault,
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
  diff: diffSession,
  import: importSessions,
  log: showLog,
  restore: restoreSessions,
  restoreVersions: listVersions,
  restoreFile,
  fileVersions,
  listFiles,
  forget: forgetSessions,
  listForgotten,
  hookWorker: runHookWorker,
};
