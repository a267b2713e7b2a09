//! The layers of settings: defaults, the file, the environment, flags; the later wins.
//!
//! Unknown keys of the file are refused with their line and the nearest key that exists. An unknown
//! `PHALANX_…` variable only warns: environments are often filled in by others (Kubernetes names services
//! so).

use super::value::Given;
use super::{ConfigError, OperatorConfig, SETTINGS, read_bounded};
use core::fmt;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The largest settings file. Unit: bytes.
const SETTINGS_FILE_BYTES_MAX: u64 = 1 << 20;
/// In front of every environment variable that is a setting.
const ENVIRONMENT_PREFIX: &str = "PHALANX_";
/// A suggestion further away than this is no help. Unit: Jaro-Winkler similarity.
const SIMILARITY_MIN: f64 = 0.75;

/// One key: where it stands, what it means, how it is read and shown.
pub struct Setting {
    /// Its name in the file.
    pub key: &'static str,
    /// The heading that it stands under.
    pub section: &'static str,
    /// What it is for, one line of text each.
    pub doc: &'static [&'static str],
    /// Its default, as text.
    pub default: &'static str,
    pub(super) assign: fn(&mut OperatorConfig, &Given<'_>, &Path) -> Result<(), String>,
    pub(super) show: fn(&OperatorConfig) -> String,
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting").field("key", &self.key).field("default", &self.default).finish_non_exhaustive()
    }
}

/// Who gave a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody: the default.
    Default,
    /// A line of the settings file, counted from 1.
    File(PathBuf, usize),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File(path, line) => write!(f, "{}, line {line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// Environment variables, by name.
pub type Environment = BTreeMap<String, String>;
/// Values of flags, by the key that each sets.
pub type Flags = BTreeMap<&'static str, String>;

/// Settings, who gave each, and what to tell the operator about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: OperatorConfig,
    /// Who gave each value, by key; a key that is not in here has its default.
    pub origins: BTreeMap<&'static str, Origin>,
    /// Sentences for the log.
    pub warnings: Vec<String>,
}

/// The environment variable that sets `key`.
#[must_use]
pub fn environment_name(key: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", key.to_uppercase())
}

/// The flag that sets `key`, with its dashes.
#[must_use]
pub fn flag_name(key: &str) -> String {
    format!("--{}", key.replace('_', "-"))
}

/// The candidate nearest to `word`, if any is near enough to be what was meant.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    candidates
        .map(|candidate| (strsim::jaro_winkler(&word, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

impl OperatorConfig {
    /// Reads the settings file at `path`; without one, relative paths start at the working directory.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing wrong, with its place.
    pub fn load(path: Option<&Path>, environment: &Environment, flags: &Flags) -> Result<Loaded, ConfigError> {
        let text = path.map(|path| read_bounded("settings file", path, SETTINGS_FILE_BYTES_MAX)).transpose()?;
        let file = path.zip(text.as_deref());
        Self::layered(file, environment, flags)
    }

    /// The same, of a settings file already read: its path and its text.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing wrong, with its place.
    pub fn layered(
        file: Option<(&Path, &str)>,
        environment: &Environment,
        flags: &Flags,
    ) -> Result<Loaded, ConfigError> {
        let base = file.and_then(|(path, _)| path.parent()).unwrap_or(Path::new("")).to_owned();
        let mut layers = Loaded { config: Self::defaults(&base), origins: BTreeMap::new(), warnings: Vec::new() };
        if let Some((path, text)) = file {
            layers.read_file(path, text, &base)?;
        }
        layers.read_environment(environment)?;
        for setting in SETTINGS {
            if let Some(text) = flags.get(setting.key) {
                layers.give(setting, &Given::Text(text), Path::new(""), Origin::Flag(flag_name(setting.key)))?;
            }
        }
        layers.config.check().map_err(ConfigError::SettingsInconsistent)?;
        Ok(layers)
    }
}

impl Loaded {
    fn give(
        &mut self,
        setting: &'static Setting,
        given: &Given<'_>,
        base: &Path,
        origin: Origin,
    ) -> Result<(), ConfigError> {
        (setting.assign)(&mut self.config, given, base).map_err(|reason| ConfigError::SettingsValue {
            key: setting.key,
            origin: origin.clone(),
            reason,
        })?;
        self.origins.insert(setting.key, origin);
        Ok(())
    }

    fn read_file(&mut self, path: &Path, text: &str, base: &Path) -> Result<(), ConfigError> {
        let syntax =
            |error: toml::de::Error| ConfigError::SettingsSyntax { path: path.to_owned(), message: error.to_string() };
        let table = DeTable::parse(text).map_err(syntax)?.into_inner();
        for (key, value) in &table {
            let line = 1 + text[..key.span().start].matches('\n').count();
            let name: &str = key.get_ref();
            let Some(setting) = SETTINGS.iter().find(|setting| setting.key == name) else {
                return Err(ConfigError::SettingsUnknown {
                    path: path.to_owned(),
                    line,
                    key: name.to_owned(),
                    nearest: nearest(name, SETTINGS.iter().map(|setting| setting.key)).map(str::to_owned),
                });
            };
            let given = match value.get_ref() {
                DeValue::String(text) => Given::String(text),
                DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(integer) => Given::Integer(integer),
                    Err(_) => Given::Other("integer of more than 64 bits"),
                },
                other => Given::Other(other.type_str()),
            };
            self.give(setting, &given, base, Origin::File(path.to_owned(), line))?;
        }
        Ok(())
    }

    fn read_environment(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        for (name, value) in environment {
            let Some(key) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            // Not a setting: `phalanx config` would print it.
            if name == crate::keys::PASSPHRASE_VARIABLE {
                continue;
            }
            let key = key.to_lowercase();
            if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) {
                self.give(setting, &Given::Text(value), Path::new(""), Origin::Environment(name.clone()))?;
            } else {
                let near = nearest(&key, SETTINGS.iter().map(|setting| setting.key));
                let near = near.map_or_else(String::new, |key| format!("; did you mean {}?", environment_name(key)));
                self.warnings.push(format!("the environment variable {name} is no setting and is ignored{near}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layered(text: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Loaded, String> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let flags = flags.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        OperatorConfig::layered(Some((Path::new("/etc/phalanx/config.toml"), text)), &environment, &flags)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_later_layer_wins() {
        let file = "pipeline_depth = 3\n";
        let from_default = layered("", &[], &[]).expect("defaults").config.pipeline_depth;
        assert_ne!(from_default, 3);
        assert_eq!(layered(file, &[], &[]).expect("file").config.pipeline_depth, 3);
        let environment = [("PHALANX_PIPELINE_DEPTH", "4")];
        assert_eq!(layered(file, &environment, &[]).expect("environment").config.pipeline_depth, 4);
        let loaded = layered(file, &environment, &[("pipeline_depth", "5")]).expect("flag");
        assert_eq!(loaded.config.pipeline_depth, 5);
        assert_eq!(loaded.origins["pipeline_depth"], Origin::Flag("--pipeline-depth".to_owned()));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_nearest() {
        let refusal = layered("# a comment\n\npipline_depth = 3\n", &[], &[]).expect_err("misspelt");
        assert!(refusal.contains("line 3"), "{refusal}");
        assert!(refusal.contains("`pipline_depth`") && refusal.contains("did you mean `pipeline_depth`"), "{refusal}");
        let refusal = layered("[consensus]\npipeline_depth = 3\n", &[], &[]).expect_err("no such table");
        assert!(refusal.contains("line 1"), "{refusal}");
        let refusal = layered("zzzzzz = 3\n", &[], &[]).expect_err("nothing like it");
        assert!(!refusal.contains("did you mean"), "{refusal}");
    }

    #[test]
    fn a_bad_value_names_its_key_and_who_gave_it() {
        let refusal = layered("\nrpc_address = 8545\n", &[], &[]).expect_err("a number");
        assert!(refusal.contains("`rpc_address`") && refusal.contains("line 2"), "{refusal}");
        let refusal = layered("", &[("PHALANX_PIPELINE_DEPTH", "many")], &[]).expect_err("a word");
        assert!(refusal.contains("PHALANX_PIPELINE_DEPTH") && refusal.contains("many"), "{refusal}");
        let refusal = layered("", &[], &[("log_format", "xml")]).expect_err("no such format");
        assert!(refusal.contains("--log-format"), "{refusal}");
    }

    #[test]
    fn bad_toml_is_refused_with_its_line() {
        let refusal = layered("pipeline_depth = 3\nrpc_address = \n", &[], &[]).expect_err("no value");
        assert!(refusal.contains("line 2"), "{refusal}");
        assert!(layered("pipeline_depth = 3\npipeline_depth = 4\n", &[], &[]).is_err(), "twice");
    }

    #[test]
    fn paths_of_the_file_start_where_the_file_is() {
        let loaded = layered("data_dir = \"data\"\n", &[], &[("share_key_file", "here.json")]).expect("paths");
        assert_eq!(loaded.config.data_dir, Path::new("/etc/phalanx/data"));
        assert_eq!(loaded.config.share_key_file, Path::new("here.json"));
    }

    #[test]
    fn a_foreign_variable_only_warns() {
        let loaded = layered("", &[("PHALANX_RPC_ADRESS", "x"), ("PATH", "y")], &[]).expect("ignored");
        assert_eq!(loaded.warnings.len(), 1);
        assert!(loaded.warnings[0].contains("PHALANX_RPC_ADDRESS"), "{:?}", loaded.warnings);
    }
}
