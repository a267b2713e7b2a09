//! Passphrases: where they come from, and the form in which EIP-2335 takes them.
//!
//! Invariant: a passphrase is wiped when dropped, prints nothing, and never comes from the command line, where
//! every user of the machine could read it.

use super::KeyError;
use super::file::read_private;
use core::fmt;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The environment variable that may hold the passphrase.
pub const PASSPHRASE_VARIABLE: &str = "PHALANX_PASSPHRASE";
/// The shortest passphrase for a new key. Unit: bytes of its normal form.
pub const PASSPHRASE_BYTES_MIN: usize = 8;

/// A passphrase in the form that EIP-2335 prescribes: NFKD, without control codes.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Brings `text` into that form.
    #[must_use]
    pub fn new(text: &str) -> Self {
        // NFKD makes of one character at most 18; so the string never moves, and leaves no copy behind.
        let mut normal = Zeroizing::new(String::with_capacity(text.len() * 18));
        normal.extend(text.nfkd().filter(|character| !character.is_control()));
        Self(normal)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Where the passphrase of an operator's key files comes from: a file, else the environment, else whoever sits at
/// the terminal. Asked for at most once.
#[derive(Debug, Default)]
pub struct PassphraseSource {
    file: Option<PathBuf>,
    known: OnceLock<Passphrase>,
}

impl PassphraseSource {
    /// A source; `file` wins over the rest.
    #[must_use]
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file, known: OnceLock::new() }
    }

    /// The passphrase of the key file at `path`.
    ///
    /// # Errors
    /// [`KeyError::PassphraseMissing`] when there is none, or what is wrong with the file that should hold it.
    pub fn unlock(&self, path: &Path) -> Result<&Passphrase, KeyError> {
        self.obtain(
            || rpassword::prompt_password(format!("Passphrase of {}: ", path.display())).map(Zeroizing::new),
            path,
        )
    }

    /// The passphrase for a new key file at `path`. At a terminal it is asked for twice.
    ///
    /// # Errors
    /// As [`Self::unlock`]; and [`KeyError::PassphraseRefused`] when it is too short or differs the second time.
    pub fn choose(&self, path: &Path) -> Result<&Passphrase, KeyError> {
        let refused = |reason: String| KeyError::PassphraseRefused { path: path.to_owned(), reason };
        let mut same = true;
        let ask = || {
            let prompt = format!("New passphrase for {}: ", path.display());
            let first = Zeroizing::new(rpassword::prompt_password(prompt)?);
            let second = Zeroizing::new(rpassword::prompt_password("The same again: ")?);
            same = first == second;
            Ok(first)
        };
        let passphrase = self.obtain(ask, path)?;
        if !same {
            return Err(refused("the two were not the same".to_owned()));
        }
        if passphrase.as_bytes().len() < PASSPHRASE_BYTES_MIN {
            return Err(refused(format!("it has fewer than {PASSPHRASE_BYTES_MIN} bytes")));
        }
        Ok(passphrase)
    }

    fn obtain(
        &self,
        ask: impl FnOnce() -> std::io::Result<Zeroizing<String>>,
        path: &Path,
    ) -> Result<&Passphrase, KeyError> {
        if self.known.get().is_none() {
            let text = match &self.file {
                Some(file) => from_file(file)?,
                None => match std::env::var(PASSPHRASE_VARIABLE) {
                    Ok(text) => Zeroizing::new(text),
                    Err(_) if std::io::stdin().is_terminal() => ask().map_err(|source| KeyError::IoUnreadable {
                        what: "passphrase of",
                        path: path.to_owned(),
                        source,
                    })?,
                    Err(_) => return Err(KeyError::PassphraseMissing { path: path.to_owned() }),
                },
            };
            // A second thread that was faster read the same.
            let _ = self.known.set(Passphrase::new(&text));
        }
        Ok(self.known.get().expect("it was set above"))
    }
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    const WHAT: &str = "passphrase file";
    let bytes = read_private(WHAT, path)?;
    match core::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => {
            Err(KeyError::FileMalformed { what: WHAT, path: path.to_owned(), reason: "it is no text".to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_passphrase_has_one_form_and_prints_nothing() {
        assert_eq!(Passphrase::new("Å\n"), Passphrase::new("A\u{30a}"));
        assert_ne!(Passphrase::new("a b"), Passphrase::new("ab"), "a space counts");
        assert_eq!(format!("{:?}", Passphrase::new("secret")), "Passphrase(..)");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("passphrase");
        fs::write(&path, "correct horse\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("own file");
        let source = PassphraseSource::new(Some(path.clone()));
        let refused = source.unlock(Path::new("identity.json"));
        assert!(matches!(refused, Err(KeyError::FileExposed { .. })), "{refused:?}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("own file");
        let read = source.unlock(Path::new("identity.json")).expect("private");
        assert_eq!(*read, Passphrase::new("correct horse"));
    }

    #[test]
    fn a_short_one_is_refused_for_new_keys() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("passphrase");
        fs::write(&path, "short\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("own file");
        let source = PassphraseSource::new(Some(path));
        let refused = source.choose(Path::new("identity.json"));
        assert!(matches!(refused, Err(KeyError::PassphraseRefused { .. })), "{refused:?}");
    }
}
