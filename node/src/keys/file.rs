//! Key files: strict JSON, readable by their owner only.

use super::KeyError;
use phalanx_bls::MinSig;
use phalanx_threshold::{Identity, SecretShare};
use phalanx_types::OperatorIndex;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zeroize::{Zeroize, Zeroizing};

/// The version of key files that this release writes and reads.
pub const KEY_FILE_VERSION: u32 = 1;
/// The largest key file. Unit: bytes.
pub const KEY_FILE_BYTES_MAX: u64 = 64 << 10;
/// Permission bits that would let others in.
const OTHERS: u32 = 0o077;

pub(super) const IDENTITY: &str = "identity key";
pub(super) const SHARE: &str = "share key";

/// `identity.json`
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IdentityDocument {
    version: u32,
    kind: IdentityKind,
    public_key: String,
    secret_key: Secret,
}

/// `share.json`
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ShareDocument {
    version: u32,
    kind: ShareKind,
    operator: OperatorIndex,
    public_key: String,
    secret_key: Secret,
}

#[derive(Serialize, Deserialize)]
enum IdentityKind {
    #[serde(rename = "phalanx-identity-ed25519")]
    Ed25519,
}

#[derive(Serialize, Deserialize)]
enum ShareKind {
    #[serde(rename = "phalanx-share-bls12381")]
    Bls12381,
}

/// 32 bytes in hexadecimal, wiped when dropped.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Secret(String);

impl Secret {
    fn of(bytes: &[u8; 32]) -> Self {
        Self(alloy_primitives::hex::encode_prefixed(bytes))
    }

    fn bytes(&self) -> Result<Zeroizing<[u8; 32]>, String> {
        let mut bytes = Zeroizing::new([0; 32]);
        alloy_primitives::hex::decode_to_slice(&self.0, bytes.as_mut())
            .map_err(|_| "secretKey is not 32 bytes in hexadecimal".to_owned())?;
        Ok(bytes)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Writes a new identity file that only its owner may read. Never overwrites one.
///
/// # Errors
/// [`KeyError::IoUnwritable`], also when the file exists.
pub fn write_identity(path: &Path, identity: &Identity) -> Result<(), KeyError> {
    let document = IdentityDocument {
        version: KEY_FILE_VERSION,
        kind: IdentityKind::Ed25519,
        public_key: identity.public().to_string(),
        secret_key: Secret::of(&identity.to_seed()),
    };
    write_new(IDENTITY, path, &document)
}

/// Writes a new share file that only its owner may read. Never overwrites one.
///
/// # Errors
/// [`KeyError::IoUnwritable`], also when the file exists.
pub fn write_share(path: &Path, share: &SecretShare) -> Result<(), KeyError> {
    let document = ShareDocument {
        version: KEY_FILE_VERSION,
        kind: ShareKind::Bls12381,
        operator: share.index(),
        public_key: share_public_key(share),
        secret_key: Secret::of(&share.to_bytes()),
    };
    write_new(SHARE, path, &document)
}

/// The public key of a share, in hexadecimal.
pub(super) fn share_public_key(share: &SecretShare) -> String {
    share.public_key::<MinSig>().to_string()
}

pub(super) fn read_identity(path: &Path) -> Result<Identity, KeyError> {
    let document: IdentityDocument = read(IDENTITY, path)?;
    let malformed = |reason| KeyError::FileMalformed { what: IDENTITY, path: path.to_owned(), reason };
    check_version(document.version).map_err(malformed)?;
    let identity = Identity::from_seed(&*document.secret_key.bytes().map_err(malformed)?);
    check_public(&document.public_key, &identity.public().to_string()).map_err(malformed)?;
    Ok(identity)
}

pub(super) fn read_share(path: &Path) -> Result<SecretShare, KeyError> {
    let document: ShareDocument = read(SHARE, path)?;
    let malformed = |reason| KeyError::FileMalformed { what: SHARE, path: path.to_owned(), reason };
    check_version(document.version).map_err(malformed)?;
    let secret = document.secret_key.bytes().map_err(malformed)?;
    let share = SecretShare::from_bytes(document.operator, &secret).map_err(|error| malformed(error.to_string()))?;
    check_public(&document.public_key, &share_public_key(&share)).map_err(malformed)?;
    Ok(share)
}

fn check_version(version: u32) -> Result<(), String> {
    if version == KEY_FILE_VERSION {
        return Ok(());
    }
    Err(format!("it has version {version}, this release reads version {KEY_FILE_VERSION}"))
}

fn check_public(stated: &str, computed: &str) -> Result<(), String> {
    if stated.eq_ignore_ascii_case(computed) {
        return Ok(());
    }
    Err(format!("publicKey is {stated}, but the secret makes {computed}"))
}

fn write_new(what: &'static str, path: &Path, document: &impl Serialize) -> Result<(), KeyError> {
    let text = Zeroizing::new(serde_json::to_string_pretty(document).expect("a key file has string keys only"));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    });
    written.map_err(|source| KeyError::IoUnwritable { what, path: path.to_owned(), source })
}

fn read<T: for<'de> Deserialize<'de>>(what: &'static str, path: &Path) -> Result<T, KeyError> {
    let unreadable = |source| KeyError::IoUnreadable { what, path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(KeyError::FileExposed { what, path: path.to_owned(), mode });
    }
    let malformed = |reason| KeyError::FileMalformed { what, path: path.to_owned(), reason };
    if metadata.len() > KEY_FILE_BYTES_MAX {
        return Err(malformed(format!("it has {} bytes, more than {KEY_FILE_BYTES_MAX}", metadata.len())));
    }
    // All at once: a buffer that grows would leave copies of the secret behind.
    let capacity = usize::try_from(metadata.len()).expect("at most KEY_FILE_BYTES_MAX") + 1;
    let mut text = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(KEY_FILE_BYTES_MAX).read_to_end(&mut text).map_err(unreadable)?;
    // The parser's words could quote the secret; its line and column cannot.
    serde_json::from_slice(&text).map_err(|error| {
        let kind = if error.is_data() { "not the fields of such a key" } else { "not JSON" };
        malformed(format!("{kind}, at line {}, column {}", error.line(), error.column()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_threshold::deal;
    use phalanx_types::ClusterSize;

    fn share() -> SecretShare {
        deal(&mut rand::rng(), ClusterSize::new(4).expect("four")).shares.swap_remove(2)
    }

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("own file");
    }

    #[test]
    fn files_read_back_and_are_private() {
        let directory = tempfile::tempdir().expect("a directory");
        let (one, other) = (directory.path().join("identity.json"), directory.path().join("share.json"));
        let (identity, share) = (Identity::generate(&mut rand::rng()), share());
        write_identity(&one, &identity).expect("written");
        write_share(&other, &share).expect("written");
        for path in [&one, &other] {
            let mode = std::fs::metadata(path).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(read_identity(&one).expect("read").to_seed(), identity.to_seed());
        let read = read_share(&other).expect("read");
        assert_eq!((read.index(), read.to_bytes()), (share.index(), share.to_bytes()));
    }

    #[test]
    fn an_exposed_file_is_refused_with_the_command_to_run() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("share.json");
        write_share(&path, &share()).expect("written");
        for mode in [0o640, 0o604, 0o620, 0o666] {
            chmod(&path, mode);
            let refusal = read_share(&path).expect_err("exposed").to_string();
            assert!(refusal.contains("chmod 600") && refusal.contains(&format!("{mode:03o}")), "{refusal}");
        }
        chmod(&path, 0o400);
        read_share(&path).expect("read-only for its owner is fine");
    }

    #[test]
    fn files_are_never_overwritten() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("identity.json");
        write_identity(&path, &Identity::generate(&mut rand::rng())).expect("written");
        let again = write_identity(&path, &Identity::generate(&mut rand::rng()));
        assert!(matches!(again, Err(KeyError::IoUnwritable { .. })));
    }

    #[test]
    fn a_broken_file_is_refused_without_its_secret() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("share.json");
        let share = share();
        write_share(&path, &share).expect("written");
        let good = std::fs::read_to_string(&path).expect("read");
        let secret = alloy_primitives::hex::encode(share.to_bytes().as_slice());
        let broken = [
            good.replace("\"version\": 1", "\"version\": 2"),
            good.replace("\"operator\": 2", "\"operator\": 2, \"extra\": 1"),
            good.replace("\"operator\": 2", "\"operator\": \"2\""),
            good.replace(&secret, &secret[2..]),
            good.replace(&secret, &"0".repeat(64)),
            good.replace(&secret, &format!("{secret}zz")),
            good.replace("phalanx-share-bls12381", "phalanx-identity-ed25519"),
            good[..good.len() / 2].to_owned(),
            good.replace("\"secretKey\": \"", "\"secretKey\": \"0x"),
        ];
        for text in broken {
            assert_ne!(text, good);
            std::fs::write(&path, &text).expect("written");
            let refusal = read_share(&path).expect_err("broken").to_string();
            assert!(refusal.contains("share.json"), "{refusal}");
            assert!(!refusal.contains(&secret[..16]), "{refusal}");
        }
    }

    #[test]
    fn a_secret_that_is_not_that_of_the_public_key_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("identity.json");
        write_identity(&path, &Identity::generate(&mut rand::rng())).expect("written");
        let other = Identity::generate(&mut rand::rng()).public().to_string();
        let text = std::fs::read_to_string(&path).expect("read");
        let stated = text.split("\"publicKey\": \"").nth(1).expect("a field").split('"').next().expect("a value");
        std::fs::write(&path, text.replace(stated, &other)).expect("written");
        let refusal = read_identity(&path).expect_err("another's").to_string();
        assert!(refusal.contains("publicKey"), "{refusal}");
    }
}
