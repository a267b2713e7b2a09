//! The settings file that documents itself, and the settings as they are in effect.

use super::{Loaded, OperatorConfig, Origin, SETTINGS, Setting, environment_name, flag_name};
use std::fmt::Write;
use std::path::Path;

const PREAMBLE: &str = "\
# Settings of one Phalanx operator. What is commented out has the default that it shows.
# Every key can also be given by environment (PHALANX_ and the key in capitals: PHALANX_RPC_ADDRESS) and by
# flag (--rpc-address). A flag wins over the environment, the environment over this file.
# Relative paths start at the directory of this file. Durations carry a unit: \"250ms\", \"2s\".
";

/// A settings file with every key explained; keys in `given` (key and value as TOML) are set, the others
/// are commented out with their defaults.
#[must_use]
pub fn template(given: &[(&str, String)]) -> String {
    let defaults = OperatorConfig::defaults(Path::new(""));
    render(PREAMBLE, |setting, out| {
        let set = given.iter().find(|(key, _)| *key == setting.key);
        match set {
            Some((_, value)) => writeln!(out, "{} = {value}", setting.key),
            None => writeln!(out, "# {} = {}", setting.key, (setting.show)(&defaults)),
        }
    })
}

/// The settings as they are in effect, each with who gave it.
#[must_use]
pub fn effective(loaded: &Loaded) -> String {
    render("# The settings in effect.\n", |setting, out| {
        let origin = loaded.origins.get(setting.key).unwrap_or(&Origin::Default);
        let (environment, flag) = (environment_name(setting.key), flag_name(setting.key));
        writeln!(out, "# from {origin} ({environment}, {flag})")?;
        writeln!(out, "{} = {}", setting.key, (setting.show)(&loaded.config))
    })
}

fn render(preamble: &str, line: impl Fn(&Setting, &mut String) -> std::fmt::Result) -> String {
    let mut out = preamble.to_owned();
    let mut section = "";
    for setting in SETTINGS {
        if setting.section != section {
            section = setting.section;
            let dashes = "-".repeat(96_usize.saturating_sub(section.len()));
            write!(out, "\n# {section} {dashes}\n").expect("writing to a string does not fail");
        }
        out.push('\n');
        for text in setting.doc {
            writeln!(out, "# {}", text.trim()).expect("writing to a string does not fail");
        }
        line(setting, &mut out).expect("writing to a string does not fail");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags};

    fn read(text: &str) -> Loaded {
        OperatorConfig::layered(Some((Path::new("config.toml"), text)), &Environment::new(), &Flags::new())
            .expect("the template is a settings file")
    }

    #[test]
    fn every_key_is_documented_once() {
        let text = template(&[]);
        for setting in SETTINGS {
            assert!(!setting.doc.concat().trim().is_empty(), "{} has no documentation", setting.key);
            let lines = text.lines().filter(|line| line.starts_with(&format!("# {} = ", setting.key)));
            assert_eq!(lines.count(), 1, "{}", setting.key);
        }
    }

    #[test]
    fn the_template_means_the_defaults() {
        let uncommented: String = template(&[])
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if SETTINGS.iter().any(|setting| rest.starts_with(&format!("{} = ", setting.key))) => {
                    format!("{rest}\n")
                }
                _ => format!("{line}\n"),
            })
            .collect();
        let read = read(&uncommented);
        assert_eq!(read.config, OperatorConfig::defaults(Path::new("")));
        assert_eq!(read.origins.len(), SETTINGS.len(), "every key was read from the text");
    }

    #[test]
    fn given_keys_are_set() {
        let text = template(&[("pipeline_depth", "3".to_owned())]);
        let loaded = read(&text);
        assert_eq!(loaded.config.pipeline_depth, 3);
        assert_eq!(loaded.origins.len(), 1);
    }

    #[test]
    fn what_is_in_effect_reads_back_to_the_same() {
        let loaded = read("pipeline_depth = 3\nlog_format = \"json\"\n");
        let text = effective(&loaded);
        assert!(text.contains("config.toml, line 2"), "{text}");
        assert_eq!(read(&text).config, loaded.config);
    }
}
