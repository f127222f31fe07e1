import manifest from "../deno.json" with { type: "json" };

if (import.meta.main) console.log(manifest.version);
