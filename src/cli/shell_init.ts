/** The shell functions that pull before `claude` starts. */
import type { Shell } from "./command_line.ts";
import { fishQuote, posixQuote, powershellQuote } from "./shell_quote.ts";

/** First arguments with which `claude` starts no conversation. */
const SKIPPED = [
  "-h",
  "--help",
  "-v",
  "--version",
  "agents",
  "auth",
  "auto-mode",
  "config",
  "doctor",
  "help",
  "install",
  "login",
  "logout",
  "mcp",
  "migrate-installer",
  "plugin",
  "plugins",
  "remote-control",
  "setup-token",
  "update",
  "upgrade",
] as const;

/** Claude starts after this time even when the pull is not done. */
const PULL_SECONDS_MAX = 10;

const PULL = ["pull", "--quiet", "--no-input", `--within=${PULL_SECONDS_MAX}`] as const;

/** The function for `shell`. `self` is what starts this program. */
export function shellScript(shell: Shell, self: readonly [string, ...string[]]): string {
  switch (shell) {
    case "bash":
    case "zsh":
      return posixScript(self);
    case "fish":
      return fishScript(self);
    case "pwsh":
      return powershellScript(self);
  }
}

/**
 * `function claude` and not `claude()`: an alias of that name, which Claude Code's own installer
 * makes, would be expanded in the latter. The alias is remembered and run by the function, which
 * the alias may call again.
 */
function posixScript(self: readonly [string, ...string[]]): string {
  const command = [...self, ...PULL].map(posixQuote).join(" ");
  return `# claude-sync: brings new turns here before Claude Code starts.
__claude_sync_target=
if alias claude >/dev/null 2>&1; then
  __claude_sync_target=$(alias claude)
  __claude_sync_target=\${__claude_sync_target#alias }
  eval "__claude_sync_target=\${__claude_sync_target#claude=}"
  unalias claude
fi
function claude {
  if [ -n "\${__claude_sync_inside-}" ]; then
    command claude "$@"
    return
  fi
  case "\${1-}" in
    ${SKIPPED.join(" | ")}) ;;
    *)
      if [ -x ${posixQuote(self[0])} ] && [ -z "\${CLAUDE_SYNC_DISABLE-}" ]; then
        ${command} </dev/null || :
      fi
      ;;
  esac
  if [ -z "\${__claude_sync_target-}" ]; then
    command claude "$@"
    return
  fi
  __claude_sync_inside=1
  eval "$__claude_sync_target \\"\\$@\\""
  set -- $?
  unset __claude_sync_inside
  return "$1"
}`;
}

function fishScript(self: readonly [string, ...string[]]): string {
  const command = [...self, ...PULL].map(fishQuote).join(" ");
  return `# claude-sync: brings new turns here before Claude Code starts.
function claude --wraps claude --description 'Claude Code, with the turns of all machines'
    if not contains -- "$argv[1]" ${SKIPPED.join(" ")}
        if test -x ${fishQuote(self[0])}; and test -z "$CLAUDE_SYNC_DISABLE"
            ${command} </dev/null
        end
    end
    if not command -q claude; and test -x ~/.claude/local/claude
        ~/.claude/local/claude $argv
    else
        command claude $argv
    end
end`;
}

function powershellScript(self: readonly [string, ...string[]]): string {
  const command = [...self, ...PULL].map(powershellQuote).join(" ");
  return `# claude-sync: brings new turns here before Claude Code starts.
if (Test-Path Alias:claude) { Remove-Item Alias:claude -Force }
function claude {
  $skipped = @(${SKIPPED.map(powershellQuote).join(", ")})
  $starts = ($args.Count -eq 0) -or ($skipped -cnotcontains "$($args[0])")
  if ($starts -and -not $env:CLAUDE_SYNC_DISABLE -and (Test-Path -LiteralPath ${
    powershellQuote(self[0])
  })) {
    try { & ${command} } catch { }
  }
  $program = Get-Command -Name claude -CommandType Application, ExternalScript |
    Select-Object -First 1
  if ($MyInvocation.ExpectingInput) { $input | & $program @args } else { & $program @args }
}`;
}
