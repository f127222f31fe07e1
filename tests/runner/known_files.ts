/**
 * What is known of test files before they run. Nothing needs to be in this table: a file that is
 * not in it shares a process with others.
 *
 * @module
 */
import type { KnownFile } from "./schedule.ts";

/** By path. The seconds are of one run on two quiet cores; what they order need not be exact. */
export const KNOWN_FILES: Readonly<Record<string, KnownFile>> = {
  "tests/build_test.ts": { seconds: 9 },
  "tests/cli/network_test.ts": { seconds: 11 },
  "tests/cli/rgw_test.ts": { seconds: 32 },
  "tests/cli/scripts_test.ts": { seconds: 91 },
  "tests/client/branch_test.ts": { seconds: 47 },
  "tests/client/hook_delay_test.ts": { alone: "compares how long the client takes with hooks" },
  "tests/client/keep_test.ts": { seconds: 13 },
  "tests/client/old_client_test.ts": { seconds: 63 },
  "tests/client/own_files_test.ts": { seconds: 27 },
  "tests/client/push_test.ts": { seconds: 35 },
  "tests/client/resume_test.ts": { seconds: 58 },
  "tests/client/stores_test.ts": { seconds: 34 },
  "tests/crypto/bun_test.ts": { seconds: 6 },
  "tests/demo/demo_test.ts": { seconds: 4 },
  "tests/platform/node_http_test.ts": { alone: "tells silence from slowness within 150 ms" },
  "tests/platform/node_processes_test.ts": { alone: "starts a program, and later, within 300 ms" },
  "tests/recover_test.ts": { seconds: 5 },
  "tests/servers/swift_test.ts": { seconds: 10 },
  "tests/sessions/branches_property_test.ts": { seconds: 5 },
  "tests/storage/folder/store_test.ts": { seconds: 6 },
  "tests/storage/gcs/conformance_test.ts": { seconds: 13 },
  "tests/storage/git/compaction_test.ts": { seconds: 12 },
  "tests/storage/git/faults_test.ts": { seconds: 13 },
  "tests/storage/git/machines_test.ts": { seconds: 33 },
  "tests/storage/git/plain_servers_test.ts": { seconds: 14 },
  "tests/storage/git/store_test.ts": { seconds: 13 },
  "tests/storage/git/transports_test.ts": { seconds: 90 },
  "tests/storage/s3/conformance_test.ts": { seconds: 44 },
  "tests/storage/s3/credentials/official_provider_test.ts": { seconds: 6 },
  "tests/storage/s3/store_test.ts": { seconds: 8 },
  "tests/stores/crowd_test.ts": { seconds: 30 },
  "tests/stores/faults_test.ts": { seconds: 56 },
  "tests/stores/main_job_test.ts": { seconds: 34 },
  "tests/sync/convergence_test.ts": { seconds: 53 },
  "tests/sync/fail_nth_test.ts": { seconds: 232 },
  "tests/sync/history_test.ts": { seconds: 11 },
  "tests/sync/hostile_paths_test.ts": { seconds: 5 },
  "tests/sync/hostile_vault_test.ts": { seconds: 11 },
  "tests/sync/kill_test.ts": { seconds: 140 },
  "tests/sync/large_session_test.ts": { seconds: 6 },
  "tests/sync/memory_test.ts": { seconds: 23 },
  "tests/sync/move_kill_test.ts": { seconds: 9 },
  "tests/sync/plans_test.ts": { seconds: 8 },
  "tests/sync/retention_test.ts": { seconds: 9 },
  "tests/sync/samples_test.ts": { seconds: 23 },
  "tests/sync/shelf_loss_test.ts": { seconds: 7 },
  "tests/sync/store_move_test.ts": { seconds: 14 },
  "tests/sync/tamper_test.ts": { seconds: 15 },
};
