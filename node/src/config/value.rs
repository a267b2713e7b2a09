//! The types that a setting may have: how each is read from TOML, from the environment or a flag, and
//! how it is shown.
//!
//! In a file a value has its TOML type; from the environment or a flag it is text, and means the same.

use alloy_primitives::Address;
use core::time::Duration;
use phalanx_bls::{BACKEND_NAMES, Backend, BlsError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A value as it was given.
#[derive(Clone, Debug)]
pub(crate) enum Given<'a> {
    /// A TOML string.
    String(&'a str),
    /// A TOML integer.
    Integer(i64),
    /// Any other TOML type, by its name.
    Other(&'static str),
    /// Text from the environment, a flag or the table of defaults.
    Text(&'a str),
}

impl Given<'_> {
    fn refuse<T>(&self, expected: &str) -> Result<T, String> {
        Err(match self {
            Self::String(text) => format!("\"{text}\" is not {expected}"),
            Self::Integer(number) => format!("{number} is not {expected}"),
            Self::Other(kind) => format!("a TOML {kind} is not {expected}"),
            Self::Text(text) => format!("`{text}` is not {expected}"),
        })
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Text(text) => Some(text),
            Self::Integer(_) | Self::Other(_) => None,
        }
    }
}

/// A type that a setting may have.
pub(crate) trait Value: Sized {
    /// Reads it. A relative path is taken from `base`.
    fn read(given: &Given<'_>, base: &Path) -> Result<Self, String>;
    /// As it would stand in TOML.
    fn show(&self) -> String;
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Value for PathBuf {
    fn read(given: &Given<'_>, base: &Path) -> Result<Self, String> {
        match given.text() {
            Some(text) if !text.is_empty() => Ok(base.join(text)),
            _ => given.refuse("a path, such as \"cluster.json\""),
        }
    }

    fn show(&self) -> String {
        quoted(&self.display().to_string())
    }
}

/// A path, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionalPath(pub Option<PathBuf>);

impl Value for OptionalPath {
    fn read(given: &Given<'_>, base: &Path) -> Result<Self, String> {
        match given.text() {
            Some("") => Ok(Self(None)),
            _ => PathBuf::read(given, base).map(|path| Self(Some(path))),
        }
    }

    fn show(&self) -> String {
        self.0.as_ref().map_or_else(|| quoted(""), Value::show)
    }
}

impl Value for SocketAddr {
    fn read(given: &Given<'_>, _base: &Path) -> Result<Self, String> {
        match given.text().map(str::parse) {
            Some(Ok(address)) => Ok(address),
            _ => given.refuse("an IP address and port, such as \"127.0.0.1:8545\""),
        }
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Value for Address {
    fn read(given: &Given<'_>, _base: &Path) -> Result<Self, String> {
        match given.text().map(str::parse) {
            Some(Ok(address)) => Ok(address),
            _ => given.refuse("an address of 20 bytes in hexadecimal, such as \"0x00…00\""),
        }
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Value for Duration {
    fn read(given: &Given<'_>, _base: &Path) -> Result<Self, String> {
        match given.text().map(humantime::parse_duration) {
            Some(Ok(duration)) => Ok(duration),
            _ => given.refuse("a duration with its unit, such as \"250ms\" or \"2s\""),
        }
    }

    fn show(&self) -> String {
        quoted(&humantime::format_duration(*self).to_string())
    }
}

macro_rules! number {
    ($($type:ty),+) => { $(
        impl Value for $type {
            fn read(given: &Given<'_>, _base: &Path) -> Result<Self, String> {
                let expected = concat!("a whole number that fits in ", stringify!($type));
                let number = match given {
                    Given::Integer(number) => <$type>::try_from(*number).ok(),
                    Given::Text(text) => text.replace('_', "").parse().ok(),
                    Given::String(_) | Given::Other(_) => None,
                };
                match number {
                    Some(number) => Ok(number),
                    None => given.refuse(expected),
                }
            }

            fn show(&self) -> String {
                let digits = self.to_string();
                let mut grouped = String::new();
                for (index, digit) in digits.chars().enumerate() {
                    if index > 0 && (digits.len() - index) % 3 == 0 {
                        grouped.push('_');
                    }
                    grouped.push(digit);
                }
                grouped
            }
        }
    )+ };
}
number!(u32, u64, usize);

/// A choice among words: the enum, and each variant's word.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// Its word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl Value for $name {
            fn read(given: &Given<'_>, _base: &Path) -> Result<Self, String> {
                match given.text() {
                    $(Some($word) => Ok(Self::$variant),)+
                    _ => given.refuse(&["one of", $($word),+].join(" ")),
                }
            }

            fn show(&self) -> String {
                quoted(self.as_str())
            }
        }
    };
}

choice! {
    /// How log lines look.
    LogFormat {
        /// For people.
        Human = "human",
        /// One JSON object a line.
        Json = "json",
    }
}

/// Which BLS12-381 backend does the curve work: one by name, or the fastest that this processor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlsBackend(Option<&'static str>);

impl BlsBackend {
    /// The fastest that this processor runs.
    pub const AUTO: Self = Self(None);
    const AUTO_NAME: &str = "auto";

    /// The backend.
    ///
    /// # Errors
    /// When this processor does not run the one that was named.
    pub fn backend(self) -> Result<Backend, BlsError> {
        self.0.map_or_else(|| Ok(Backend::detect()), Backend::select)
    }
}

impl Value for BlsBackend {
    fn read(given: &Given<'_>, _base: &Path) -> Result<Self, String> {
        let named = |text: &str| BACKEND_NAMES.iter().find(|name| **name == text).copied();
        match given.text() {
            Some(Self::AUTO_NAME) => Ok(Self::AUTO),
            Some(text) if named(text).is_some() => Ok(Self(named(text))),
            _ => given.refuse(&format!("one of {} {}", Self::AUTO_NAME, BACKEND_NAMES.join(" "))),
        }
    }

    fn show(&self) -> String {
        quoted(self.0.unwrap_or(Self::AUTO_NAME))
    }
}

impl Value for String {
    fn read(given: &Given<'_>, _base: &Path) -> Result<Self, String> {
        match given.text() {
            Some(text) => Ok(text.to_owned()),
            None => given.refuse("a string"),
        }
    }

    fn show(&self) -> String {
        quoted(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<T: Value>(text: &str) -> Result<T, String> {
        T::read(&Given::Text(text), Path::new("/base"))
    }

    #[test]
    fn numbers_are_grouped_and_read_back() {
        for number in [0_u64, 7, 100, 1_000, 30_000_000, u64::MAX] {
            assert_eq!(text::<u64>(&number.show()), Ok(number));
        }
        assert_eq!(30_000_000_u64.show(), "30_000_000");
    }

    #[test]
    fn a_number_out_of_range_is_refused_with_what_is_expected() {
        let refusal = text::<u32>("4294967296").expect_err("too large");
        assert!(refusal.contains("u32"), "{refusal}");
        assert!(u32::read(&Given::Integer(-1), Path::new("")).is_err());
        assert!(u32::read(&Given::String("7"), Path::new("")).is_err(), "in a file a number is a number");
    }

    #[test]
    fn relative_paths_start_at_the_base() {
        assert_eq!(text::<PathBuf>("a/b"), Ok(PathBuf::from("/base/a/b")));
        assert_eq!(text::<PathBuf>("/a/b"), Ok(PathBuf::from("/a/b")));
        assert!(text::<PathBuf>("").is_err());
    }

    #[test]
    fn a_choice_names_its_words_when_it_refuses() {
        assert_eq!(text::<LogFormat>("json"), Ok(LogFormat::Json));
        let refusal = text::<LogFormat>("xml").expect_err("no such format");
        assert!(refusal.contains("human") && refusal.contains("json"), "{refusal}");
    }

    #[test]
    fn durations_carry_their_unit() {
        assert_eq!(text::<Duration>("250ms"), Ok(Duration::from_millis(250)));
        assert!(text::<Duration>("250").is_err());
        assert!(Duration::read(&Given::Integer(250), Path::new("")).is_err());
    }
}
