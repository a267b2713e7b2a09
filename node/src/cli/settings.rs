//! Settings on the command line: a flag for every key, and the command that prints them.

use crate::config::{
    Environment, Flags, Loaded, OperatorConfig, SETTINGS, effective, environment_name, flag_name, template,
};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The flags that were given, one possible for every setting.
#[derive(Clone, Debug, Default)]
pub(super) struct SettingFlags(Flags);

impl SettingFlags {
    /// The settings: flags over environment over the file over defaults.
    pub(super) fn load(&self, file: Option<&Path>) -> anyhow::Result<Loaded> {
        let environment: Environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(OperatorConfig::load(file, &environment, &self.0)?)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given =
            SETTINGS.iter().filter_map(|setting| Some((setting.key, matches.get_one::<String>(setting.key)?.clone())));
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        SETTINGS.iter().fold(command, |command, setting| {
            let help: Vec<_> = setting.doc.iter().map(|line| line.trim()).collect();
            let help = format!("{} [environment: {}]", help.join(" "), environment_name(setting.key));
            let long = flag_name(setting.key).trim_start_matches('-').to_owned();
            let value_name = if setting.default.is_empty() { "VALUE" } else { setting.default };
            let argument = Arg::new(setting.key).long(long).help(help).value_name(value_name);
            command.arg(argument.help_heading("Settings (a flag wins over the environment, that over the file)"))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// `phalanx config`
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// Print the settings in effect for this file, and who gave each, instead of the documented defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
}

/// Prints.
pub(super) fn config(args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    if args.config.is_none() && args.settings.0.is_empty() {
        print!("{}", template(&[]));
        return Ok(ExitCode::SUCCESS);
    }
    let loaded = args.settings.load(args.config.as_deref())?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    print!("{}", effective(&loaded));
    Ok(ExitCode::SUCCESS)
}
