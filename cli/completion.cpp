// Completion scripts, made from the same declarations as the help: they cannot fall behind it.
#include <iostream>
#include <sstream>

#include "cli/verbs.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle::cli {
namespace {

struct Flag {
  std::string name;  ///< "--role"
  std::string description;
  bool takes_value = false;
  std::vector<std::string> choices;  ///< empty: a file, or anything
};

struct Verb {
  std::string path;  ///< "install", "key show"; empty: kbundle itself
  std::string description;
  std::vector<Flag> flags;
  std::vector<const CLI::App*> children;
};

// A value's words stand in the help as {auto,plain,json}.
std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (!type.starts_with("{") || !type.ends_with("}")) return {};
  return split(type.substr(1, type.size() - 2), ',');
}

void collect(const CLI::App& app, const std::string& path, std::vector<Verb>& verbs) {
  Verb verb{path, app.get_description(), {}, app.get_subcommands({})};
  // Groups of options are nameless subcommands to CLI11.
  std::erase_if(verb.children, [](const CLI::App* child) { return child->get_name().empty(); });
  for (const CLI::Option* option : app.get_options({}))
    for (const std::string& name : option->get_lnames())
      verb.flags.push_back({"--" + name, option->get_description(),
                            option->get_items_expected() > 0, choices_of(*option)});
  verbs.push_back(verb);
  for (const CLI::App* child : verb.children)
    collect(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), verbs);
}

std::vector<Verb> verbs_of(const CLI::App& app) {
  std::vector<Verb> verbs;
  collect(app, "", verbs);
  return verbs;
}

std::string words_of(const Verb& verb) {
  std::vector<std::string> words;
  for (const CLI::App* child : verb.children) words.push_back(child->get_name());
  for (const Flag& flag : verb.flags) words.push_back(flag.name);
  return join(words, " ");
}

// One function for bash and, through bashcompinit, for zsh.
std::string bash_script(const CLI::App& app) {
  const auto verbs = verbs_of(app);
  const auto& global = verbs.front();
  std::ostringstream out;
  out << "_kbundle() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= word i\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    word=\"${verb:+$verb }${COMP_WORDS[i]}\"\n"
         "    case \"$word\" in\n      ";
  for (std::size_t i = 1; i < verbs.size(); ++i)
    out << (i == 1 ? "" : "|") << "\"" << verbs[i].path << "\"";
  out << ") verb=$word ;;\n    esac\n  done\n  COMPREPLY=()\n  case \"$verb $prev\" in\n";
  for (const Verb& verb : verbs) {
    std::vector<Flag> flags = verb.flags;
    if (!verb.path.empty()) flags.insert(flags.end(), global.flags.begin(), global.flags.end());
    for (const Flag& flag : flags) {
      if (!flag.takes_value) continue;
      out << "    \"" << verb.path << " " << flag.name << "\") ";
      if (!flag.choices.empty())
        out << "COMPREPLY=($(compgen -W \"" << join(flag.choices, " ") << "\" -- \"$cur\")); ";
      out << "return ;;\n";
    }
  }
  out << "  esac\n  local words=\n  case \"$verb\" in\n";
  for (const Verb& verb : verbs)
    out << "    \"" << verb.path << "\") words=\"" << words_of(verb)
        << (verb.path.empty() ? "" : " " + words_of({"", "", global.flags, {}})) << "\" ;;\n";
  // Nothing offered: the shell's own file names come (-o default).
  out << "  esac\n"
         "  case \"$cur\" in\n"
         "    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"
         "    *) COMPREPLY=($(compgen -W \"$(printf '%s\\n' $words | grep -v ^-)\" -- \"$cur\")) "
         ";;\n"
         "  esac\n"
         "}\n"
         "complete -o default -F _kbundle kbundle\n";
  return out.str();
}

std::string zsh_script(const CLI::App& app) {
  return "#compdef kbundle\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script(app);
}

std::string quoted(std::string text) {
  for (std::size_t at = 0; (at = text.find_first_of("'\\", at)) != std::string::npos; at += 2)
    text.insert(at, "\\");
  return "'" + text + "'";
}

std::string fish_flag(const std::string& condition, const Flag& flag) {
  std::string line = "complete -c kbundle -n " + quoted(condition) + " -l " + flag.name.substr(2);
  if (flag.takes_value && flag.choices.empty()) line += " -r";
  if (!flag.choices.empty()) line += " -x -a " + quoted(join(flag.choices, " "));
  return line + " -d " + quoted(flag.description) + "\n";
}

std::string fish_script(const CLI::App& app) {
  std::string text;
  for (const Verb& verb : verbs_of(app)) {
    const auto words = split(verb.path, ' ');
    std::string condition = verb.path.empty() ? "" : "__fish_seen_subcommand_from " + words.front();
    if (words.size() > 1) condition += "; and __fish_seen_subcommand_from " + words.back();
    for (const Flag& flag : verb.flags) text += fish_flag(condition, flag);
    const std::string none_yet = verb.path.empty()
                                     ? "__fish_use_subcommand"
                                     : condition + "; and not __fish_seen_subcommand_from";
    std::string names;
    for (const CLI::App* child : verb.children) names += " " + child->get_name();
    for (const CLI::App* child : verb.children)
      text += "complete -c kbundle -f -n " +
              quoted(verb.path.empty() ? none_yet : none_yet + names) + " -a " + child->get_name() +
              " -d " + quoted(child->get_description()) + "\n";
  }
  return text;
}

}  // namespace

void add_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  auto* verb = app.add_subcommand("completion", "print completions for a shell");
  verb->add_option("SHELL", *shell, "bash, zsh or fish")->required()->type_name("{bash,zsh,fish}");
  verb->footer(
      "examples:\n"
      "  source <(kbundle completion bash)\n"
      "  kbundle completion bash >/etc/bash_completion.d/kbundle\n"
      "  kbundle completion zsh >\"${fpath[1]}/_kbundle\"\n"
      "  kbundle completion fish >~/.config/fish/completions/kbundle.fish");
  verb->callback([shell, &app] {
    if (*shell == "bash") {
      std::cout << bash_script(app);
    } else if (*shell == "zsh") {
      std::cout << zsh_script(app);
    } else if (*shell == "fish") {
      std::cout << fish_script(app);
    } else {
      throw Error(ExitCode::usage, "there are no completions for " + printable(*shell),
                  "kbundle completion bash, zsh or fish");
    }
  });
}

}  // namespace kbundle::cli
