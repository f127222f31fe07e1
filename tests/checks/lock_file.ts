/**
 * `deno.lock` must work through any npm registry. Written behind a mirror it would name that
 * mirror's host for every package: such a file is refused here.
 */
import fs from "node:fs";
import process from "node:process";

/** Complaints about the text of a lock file, each with its line number; empty when it is fine. */
export function lockFileComplaints(text: string): string[] {
  const complaints: string[] = [];
  text.split("\n").forEach((line, index) => {
    if (/"tarball"|https?:|file:|git\+/.test(line)) {
      complaints.push(
        `deno.lock:${index + 1}: names a place (${line.trim()}); ` +
          "write the file again with npm's default registry",
      );
    }
  });
  if (!text.includes('"integrity"')) complaints.push("deno.lock:1: holds no integrity hashes");
  return complaints;
}

if (import.meta.main) {
  const complaints = lockFileComplaints(fs.readFileSync("deno.lock", "utf8"));
  for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
  process.exitCode = complaints.length === 0 ? 0 : 1;
}
