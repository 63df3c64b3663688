// completion: a script for bash or zsh, made from the command line itself.
#include "tools/nezu/commands.h"

namespace nezu::cli {
namespace {

constexpr char kBash[] = R"bash(
# bash completion of nezu; put it into /usr/share/bash-completion/completions/nezu
_nezu_names() { # KIND: names that exist, by the control plane that NEZU_SERVER names
  nezu --timeout 2s "$1" list 2>/dev/null | awk 'NR > 1 { print $1 }'
}
_nezu() {
  local cur=${COMP_WORDS[COMP_CWORD]} line path="" words="" word last=""
  line=${COMP_LINE:0:COMP_POINT}
  line=${line%"$cur"}
  for word in $line; do
    last=$word
    case "$path $word" in
@PATHS@) path="$path $word" ;;
    esac
  done
  case "$last" in
    -f | --file | -w | --write | --tls-ca | --tls-cert | --tls-key)
      COMPREPLY=($(compgen -f -- "$cur"))
      return
      ;;
    -o | --output)
      COMPREPLY=($(compgen -W "table json yaml" -- "$cur"))
      return
      ;;
  esac
  case "$path" in
@WORDS@  esac
  case "$cur$path" in
    -*) ;;
    *" service show" | *" service update" | *" service delete") words=$(_nezu_names service) ;;
    *" pool show" | *" pool update" | *" pool delete") words=$(_nezu_names pool) ;;
    *" instance show" | *" instance update" | *" instance delete")
      words=$(_nezu_names instance) ;;
    *" snat show" | *" snat update" | *" snat delete") words=$(_nezu_names snat) ;;
    *" source-nat show" | *" source-nat update" | *" source-nat delete")
      words=$(_nezu_names source-nat) ;;
    *" server show" | *" server return" | *" drain" | *" set weight" | *" check explain")
      words=$(_nezu_names server) ;;
    *" set state") words="ready drain disabled $(_nezu_names server)" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if declare -F __ltrim_colon_completions >/dev/null; then
    __ltrim_colon_completions "$cur"
  fi
}
complete -F _nezu nezu
)bash";

constexpr char kZshHead[] = "#compdef nezu\nautoload -U +X bashcompinit && bashcompinit";

using Visit = std::function<void(const std::string& path, CLI::App& command)>;

void each_command(CLI::App& command, const std::string& path, const Visit& visit) {
  visit(path, command);
  for (CLI::App* inner : command.get_subcommands(nullptr)) {
    each_command(*inner, path + " " + inner->get_name(), visit);
  }
}

std::string options_of(CLI::App& command) {
  std::string words;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      words += " --" + name;
    }
    for (const std::string& name : option->get_snames()) {
      words += " -" + name;
    }
  }
  return words;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  return text.replace(text.find(what), what.size(), with);
}

std::string bash_script(CLI::App& app) {
  std::string paths;
  std::string words;
  each_command(app, "", [&](const std::string& path, CLI::App& command) {
    if (!path.empty()) {
      paths += (paths.empty() ? "      \"" : " | \\\n      \"") + path + "\"";
    }
    std::string list;
    for (CLI::App* inner : command.get_subcommands(nullptr)) {
      list += " " + inner->get_name();
    }
    list += options_of(command) + (path.empty() ? "" : options_of(app));
    words += "    \"" + path + "\") words=\"" + list.substr(1) + "\" ;;\n";
  });
  return replaced(replaced(kBash, "@PATHS@", paths), "@WORDS@", words);
}

}  // namespace

void add_completion(CLI::App& app, Session& session) {
  auto* parent = app.add_subcommand("completion", "Print the completion script of a shell");
  parent->require_subcommand(1);
  action(parent->add_subcommand("bash", "As in: source <(nezu completion bash)"), session,
         [&app, &session] {
           session.out << bash_script(app);
           return Exit::ok;
         });
  action(parent->add_subcommand("zsh", "As a file _nezu in a folder of $fpath"), session,
         [&app, &session] {
           session.out << kZshHead << bash_script(app);
           return Exit::ok;
         });
}

}  // namespace nezu::cli
