/**
 * Writes the vectors beside it: `deno run -A tests/vectors/make.ts`. Run once a format version; a
 * vector that changes afterwards is a broken format. `README.md` says what the files mean.
 */
import { writeFileSync } from "node:fs";
import { envelopeVectors, padmeVectors } from "./make_envelope.ts";
import { generationVectors, headerVectors, keyVectors, nameVectors } from "./make_names.ts";
import { groupVectors, recordVectors } from "./make_record.ts";

const files: Record<string, unknown> = {
  keys: await keyVectors(),
  envelope: envelopeVectors(),
  padme: padmeVectors(),
  group: groupVectors(),
  record: await recordVectors(),
  header: headerVectors(),
  names: nameVectors(),
  generation: generationVectors(),
};
for (const [name, content] of Object.entries(files)) {
  const text = JSON.stringify(content, null, 2) + "\n";
  writeFileSync(new URL(`./${name}.json`, import.meta.url), text);
}
