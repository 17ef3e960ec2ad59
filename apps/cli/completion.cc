#include <fmt/core.h>

#include <memory>
#include <string>

#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"

namespace carya::cli {
namespace {

std::string names_of(const std::vector<const CLI::App*>& verbs, char separator) {
  std::string names;
  for (const CLI::App* verb : verbs) {
    if (!names.empty()) names += separator;
    names += verb->get_name();
  }
  return names;
}

std::string options_of(const CLI::App& verb) {
  std::string options;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& name : option->get_lnames()) options += " --" + name;
    for (const std::string& name : option->get_snames()) options += " -" + name;
  }
  return options;
}

void print_bash(const CLI::App& app, const std::vector<const CLI::App*>& verbs) {
  print_line("# bash completion of carya: source <(carya completion bash)");
  print_line("_carya() {");
  print_line("  local word=${COMP_WORDS[COMP_CWORD]} options=''");
  print_line("  case \"${COMP_WORDS[1]:-}\" in");
  for (const CLI::App* verb : verbs)
    print_line(fmt::format("    {}) options='{}' ;;", verb->get_name(), options_of(*verb)));
  print_line("  esac");
  print_line(fmt::format("  if [ \"$COMP_CWORD\" -eq 1 ]; then options='{}{}'; fi",
                         names_of(verbs, ' '), options_of(app)));
  print_line("  if [ \"$COMP_CWORD\" -eq 1 ] || [ \"${word:0:1}\" = - ]; then");
  print_line("    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))");
  print_line("  else");
  print_line("    COMPREPLY=($(compgen -f -- \"$word\"))");
  print_line("  fi");
  print_line("}\ncomplete -o filenames -F _carya carya");
}

void print_zsh(const std::vector<const CLI::App*>& verbs) {
  print_line("#compdef carya\n_carya() {\n  local -a verbs=(");
  for (const CLI::App* verb : verbs) {
    std::string text = verb->get_description();
    for (size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 4)
      text.replace(at, 1, "'\\''");
    print_line(fmt::format("    '{}:{}'", verb->get_name(), text));
  }
  print_line(
      "  )\n  if (( CURRENT == 2 )); then _describe verb verbs; return; fi\n  case $words[2] in");
  for (const CLI::App* verb : verbs)
    print_line(fmt::format("    {}) compadd -- {} ;;", verb->get_name(), options_of(*verb)));
  print_line("  esac\n  _files\n}\ncompdef _carya carya");
}

void print_fish(const std::vector<const CLI::App*>& verbs) {
  for (const CLI::App* verb : verbs) {
    std::string text = verb->get_description();
    for (size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 2)
      text.replace(at, 1, "\\'");
    print_line(fmt::format("complete -c carya -n __fish_use_subcommand -a {} -d '{}'",
                           verb->get_name(), text));
    for (const CLI::Option* option : verb->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        print_line(fmt::format("complete -c carya -n '__fish_seen_subcommand_from {}' -l {}",
                               verb->get_name(), name));
      }
    }
  }
}

}  // namespace

void add_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  CLI::App* verb =
      app.add_subcommand("completion", "A script that completes verbs and options in a shell");
  verb->add_option("shell", *shell)->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  verb->footer("Example: source <(carya completion bash)");
  verb->callback([&app, shell] {
    std::vector<const CLI::App*> verbs;
    for (const CLI::App* child : app.get_subcommands({})) verbs.push_back(child);
    if (*shell == "bash") print_bash(app, verbs);
    if (*shell == "zsh") print_zsh(verbs);
    if (*shell == "fish") print_fish(verbs);
  });
}

}  // namespace carya::cli
