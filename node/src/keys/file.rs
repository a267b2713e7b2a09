//! Key files: strict JSON, readable by their owner only. A share rests in an EIP-2335 keystore, an identity in a
//! document of ours around the EIP's `crypto`. Unencrypted files (version 1) are those of a one-machine devnet.
//!
//! Invariant: a file is never overwritten, and what is read was checked against the public key beside it.

use super::KeyError;
use super::keystore::{Crypto, KEYSTORE_VERSION, Kdf, Keystore, KeystoreError};
use super::passphrase::{Passphrase, PassphraseSource};
use super::unused::UnusedMark;
use phalanx_bls::MinSig;
use phalanx_threshold::{ENCRYPTION_KEY_BYTES, EncryptionSecret, Identity, SecretShare};
use phalanx_types::OperatorIndex;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zeroize::{Zeroize, Zeroizing};

/// The version of unencrypted key files.
pub const KEY_FILE_VERSION: u32 = 1;
/// The version of encrypted identity files.
pub const IDENTITY_FILE_VERSION: u32 = 2;
/// The largest key file. Unit: bytes.
pub const KEY_FILE_BYTES_MAX: u64 = 64 << 10;
/// The length of an identity's seed. Unit: bytes.
const KEY_BYTES: usize = 32;
const IDENTITY_SECRET_BYTES: usize = KEY_BYTES + ENCRYPTION_KEY_BYTES;
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

/// `identity.json`, encrypted: the secret is the Ed25519 seed, then the X25519 secret.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EncryptedIdentityDocument {
    version: u32,
    kind: EncryptedIdentityKind,
    public_key: String,
    encryption_key: String,
    crypto: Crypto,
}

/// What all documents have in common.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// What an identity file holds.
#[derive(Debug)]
pub struct IdentitySecrets {
    /// Signs and authenticates.
    pub identity: Identity,
    /// Decrypts the shares that are dealt to the operator. A devnet's operators have none.
    pub encryption: Option<EncryptionSecret>,
    /// How the file's key is derived, if it is encrypted: what else this operator encrypts is encrypted so too.
    pub kdf: Option<Kdf>,
}

#[derive(Serialize, Deserialize)]
enum IdentityKind {
    #[serde(rename = "phalanx-identity-ed25519")]
    Ed25519,
}

#[derive(Serialize, Deserialize)]
enum EncryptedIdentityKind {
    #[serde(rename = "phalanx-identity-ed25519-x25519")]
    Ed25519X25519,
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

/// Writes a new unencrypted identity file that only its owner may read. Never overwrites one.
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

/// Writes a new encrypted identity file that only its owner may read. Never overwrites one.
///
/// # Errors
/// [`KeyError::IoUnwritable`], also when the file exists.
pub fn write_encrypted_identity(
    rng: &mut dyn CryptoRng,
    path: &Path,
    identity: &Identity,
    encryption: &EncryptionSecret,
    passphrase: &Passphrase,
    kdf: Kdf,
) -> Result<(), KeyError> {
    let mut secrets = Zeroizing::new(Vec::with_capacity(IDENTITY_SECRET_BYTES));
    secrets.extend_from_slice(identity.to_seed().as_slice());
    secrets.extend_from_slice(encryption.to_bytes().as_slice());
    let document = EncryptedIdentityDocument {
        version: IDENTITY_FILE_VERSION,
        kind: EncryptedIdentityKind::Ed25519X25519,
        public_key: identity.public().to_string(),
        encryption_key: encryption.public().to_string(),
        crypto: Crypto::encrypt(rng, &secrets, passphrase, kdf),
    };
    write_new(IDENTITY, path, &document)
}

/// Writes a new EIP-2335 keystore of a share that only its owner may read. Never overwrites one. It has no
/// [`UnusedMark`]: who writes it says whether it has voted.
///
/// # Errors
/// [`KeyError::IoUnwritable`], also when the file exists.
pub fn write_encrypted_share(
    rng: &mut dyn CryptoRng,
    path: &Path,
    share: &SecretShare,
    cluster: &str,
    passphrase: &Passphrase,
    kdf: Kdf,
) -> Result<(), KeyError> {
    let description = format!("share of operator {} of the cluster {cluster}", share.index());
    let public_key = share.public_key::<MinSig>().to_bytes();
    let keystore = Keystore::encrypt(rng, share.to_bytes().as_slice(), passphrase, kdf, &public_key, description);
    write_new(SHARE, path, &keystore)
}

/// Writes an EIP-2335 keystore of a share, unless the file holds that share already: then nothing is done. `unused`
/// says that the share has certainly never voted.
///
/// # Errors
/// [`KeyError`] when it cannot be written or holds another share, which is left as it is.
pub fn store_share(
    rng: &mut dyn CryptoRng,
    path: &Path,
    share: &SecretShare,
    cluster: &str,
    (passphrase, kdf): (&Passphrase, Kdf),
    unused: bool,
) -> Result<(), KeyError> {
    if !path.exists() {
        if unused {
            UnusedMark::of(path).set()?;
        }
        return write_encrypted_share(rng, path, share, cluster, passphrase, kdf);
    }
    let malformed = |reason| KeyError::FileMalformed { what: SHARE, path: path.to_owned(), reason };
    let there = Keystore::parse(&read_private(SHARE, path)?).map_err(malformed)?;
    if there.pubkey.eq_ignore_ascii_case(share_public_key(share).trim_start_matches("0x")) {
        return Ok(());
    }
    Err(KeyError::ShareOther { path: path.to_owned() })
}

/// Writes a new unencrypted share file that only its owner may read, of a share that has never voted. Never
/// overwrites one.
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
    if !path.exists() {
        UnusedMark::of(path).set()?;
    }
    write_new(SHARE, path, &document)
}

/// The public key of a share, in hexadecimal.
pub(super) fn share_public_key(share: &SecretShare) -> String {
    share.public_key::<MinSig>().to_string()
}

/// Reads an identity file of either version.
///
/// # Errors
/// [`KeyError`] for the first thing wrong.
pub fn read_identity(path: &Path, passphrases: &PassphraseSource) -> Result<IdentitySecrets, KeyError> {
    let malformed = |reason| KeyError::FileMalformed { what: IDENTITY, path: path.to_owned(), reason };
    let text = read_private(IDENTITY, path)?;
    let version = parse::<Versioned>(&text).map_err(malformed)?.version;
    if version == KEY_FILE_VERSION {
        let document: IdentityDocument = parse(&text).map_err(malformed)?;
        let identity = Identity::from_seed(&*document.secret_key.bytes().map_err(malformed)?);
        check_public("publicKey", &document.public_key, &identity.public().to_string()).map_err(malformed)?;
        return Ok(IdentitySecrets { identity, encryption: None, kdf: None });
    }
    check_version(version, IDENTITY_FILE_VERSION).map_err(malformed)?;
    let document: EncryptedIdentityDocument = parse(&text).map_err(malformed)?;
    let secrets = open(IDENTITY, path, &document.crypto, passphrases)?;
    let halves = secrets.split_first_chunk::<KEY_BYTES>().and_then(|(seed, rest)| Some((seed, rest.as_array()?)));
    let (seed, encryption) = halves.ok_or_else(|| malformed("its secret has another length".to_owned()))?;
    let (identity, encryption) = (Identity::from_seed(seed), EncryptionSecret::from_bytes(encryption));
    check_public("publicKey", &document.public_key, &identity.public().to_string()).map_err(malformed)?;
    check_public("encryptionKey", &document.encryption_key, &encryption.public().to_string()).map_err(malformed)?;
    Ok(IdentitySecrets { identity, encryption: Some(encryption), kdf: Some(document.crypto.kdf()) })
}

/// A share as its file holds it.
pub(super) struct ReadShare {
    /// The share of the operator that was asked for.
    pub(super) share: SecretShare,
    /// Whose share an unencrypted file says that it is.
    pub(super) stated: OperatorIndex,
    /// The open file. A lock on it lasts as long as this.
    pub(super) file: File,
}

/// Reads the share file of operator `index`, of either version. A keystore does not say whose it is.
pub(super) fn read_share(
    path: &Path,
    index: OperatorIndex,
    passphrases: &PassphraseSource,
) -> Result<ReadShare, KeyError> {
    let malformed = |reason| KeyError::FileMalformed { what: SHARE, path: path.to_owned(), reason };
    let (file, text) = open_private(SHARE, path)?;
    let version = parse::<Versioned>(&text).map_err(malformed)?.version;
    if version == KEYSTORE_VERSION {
        let keystore = Keystore::parse(&text).map_err(malformed)?;
        let secret = open(SHARE, path, &keystore.crypto, passphrases)?;
        let secret = secret.as_array().ok_or_else(|| malformed("its secret has not 32 bytes".to_owned()))?;
        let share = SecretShare::from_bytes(index, secret).map_err(|error| malformed(error.to_string()))?;
        let computed = share_public_key(&share);
        check_public("pubkey", &keystore.pubkey, computed.trim_start_matches("0x")).map_err(malformed)?;
        return Ok(ReadShare { share, stated: index, file });
    }
    check_version(version, KEY_FILE_VERSION).map_err(malformed)?;
    let document: ShareDocument = parse(&text).map_err(malformed)?;
    let secret = document.secret_key.bytes().map_err(malformed)?;
    let share = SecretShare::from_bytes(document.operator, &secret).map_err(|error| malformed(error.to_string()))?;
    check_public("publicKey", &document.public_key, &share_public_key(&share)).map_err(malformed)?;
    Ok(ReadShare { share, stated: document.operator, file })
}

fn open(
    what: &'static str,
    path: &Path,
    crypto: &Crypto,
    passphrases: &PassphraseSource,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    crypto.decrypt(passphrases.unlock(path)?).map_err(|error| match error {
        KeystoreError::Passphrase => KeyError::PassphraseWrong { what, path: path.to_owned() },
        KeystoreError::Unusable(reason) => {
            KeyError::FileMalformed { what, path: path.to_owned(), reason: reason.to_owned() }
        }
    })
}

fn check_version(version: u32, expected: u32) -> Result<(), String> {
    if version == expected {
        return Ok(());
    }
    Err(format!("it has version {version}, this release reads versions {KEY_FILE_VERSION} and {expected}"))
}

fn check_public(field: &str, stated: &str, computed: &str) -> Result<(), String> {
    if stated.eq_ignore_ascii_case(computed) {
        return Ok(());
    }
    Err(format!("{field} is {stated}, but the secret makes {computed}"))
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

/// The bytes of a file that nobody but its owner may read.
pub(super) fn read_private(what: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    open_private(what, path).map(|(_, text)| text)
}

fn open_private(what: &'static str, path: &Path) -> Result<(File, Zeroizing<Vec<u8>>), KeyError> {
    let unreadable = |source| KeyError::IoUnreadable { what, path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(KeyError::FileExposed { what, path: path.to_owned(), mode });
    }
    if metadata.len() > KEY_FILE_BYTES_MAX {
        let reason = format!("it has {} bytes, more than {KEY_FILE_BYTES_MAX}", metadata.len());
        return Err(KeyError::FileMalformed { what, path: path.to_owned(), reason });
    }
    // All at once: a buffer that grows would leave copies of the secret behind.
    let capacity = usize::try_from(metadata.len()).expect("at most KEY_FILE_BYTES_MAX") + 1;
    let mut text = Zeroizing::new(Vec::with_capacity(capacity));
    (&file).take(KEY_FILE_BYTES_MAX).read_to_end(&mut text).map_err(unreadable)?;
    Ok((file, text))
}

/// Parses a key file. The parser's words could quote the secret; its line and column cannot.
pub(super) fn parse<T: for<'de> Deserialize<'de>>(text: &[u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| {
        let kind = if error.is_data() { "not the fields of such a key" } else { "not JSON" };
        format!("{kind}, at line {}, column {}", error.line(), error.column())
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

    fn share_of(path: &Path) -> Result<SecretShare, KeyError> {
        read_share(path, OperatorIndex(2), &PassphraseSource::default()).map(|read| read.share)
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
        assert_eq!(
            read_identity(&one, &PassphraseSource::default()).expect("read").identity.to_seed(),
            identity.to_seed()
        );
        let read = share_of(&other).expect("read");
        assert_eq!((read.index(), read.to_bytes()), (share.index(), share.to_bytes()));
    }

    #[test]
    fn an_exposed_file_is_refused_with_the_command_to_run() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("share.json");
        write_share(&path, &share()).expect("written");
        for mode in [0o640, 0o604, 0o620, 0o666] {
            chmod(&path, mode);
            let refusal = share_of(&path).expect_err("exposed").to_string();
            assert!(refusal.contains("chmod 600") && refusal.contains(&format!("{mode:03o}")), "{refusal}");
        }
        chmod(&path, 0o400);
        share_of(&path).expect("read-only for its owner is fine");
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
            let refusal = share_of(&path).expect_err("broken").to_string();
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
        let refusal = read_identity(&path, &PassphraseSource::default()).expect_err("another's").to_string();
        assert!(refusal.contains("publicKey"), "{refusal}");
    }

    fn passphrase(directory: &Path, text: &str) -> PassphraseSource {
        let path = directory.join(format!("passphrase-{text}"));
        std::fs::write(&path, text).expect("written");
        chmod(&path, 0o600);
        PassphraseSource::new(Some(path))
    }

    #[test]
    fn encrypted_files_open_with_their_passphrase_and_hold_no_secret_in_the_clear() {
        let directory = tempfile::tempdir().expect("a directory");
        let (one, other) = (directory.path().join("identity.json"), directory.path().join("share.json"));
        let (right, wrong) =
            (passphrase(directory.path(), "correct horse"), passphrase(directory.path(), "correct house"));
        let rng = &mut rand::rng();
        let (identity, encryption, share) = (Identity::generate(rng), EncryptionSecret::generate(rng), share());
        let chosen = right.choose(&one).expect("long enough");
        write_encrypted_identity(rng, &one, &identity, &encryption, chosen, Kdf::Pbkdf2).expect("written");
        write_encrypted_share(rng, &other, &share, "test", chosen, Kdf::Scrypt).expect("written");
        for (path, secret) in [(&one, *identity.to_seed()), (&one, *encryption.to_bytes()), (&other, *share.to_bytes())]
        {
            assert_eq!(std::fs::metadata(path).expect("there").permissions().mode() & 0o777, 0o600);
            let text = std::fs::read_to_string(path).expect("read");
            assert!(!text.contains(&alloy_primitives::hex::encode(secret)), "{text}");
        }
        let read = read_identity(&one, &right).expect("opens");
        assert_eq!(read.identity.to_seed(), identity.to_seed());
        assert_eq!(read.encryption.expect("there").to_bytes(), encryption.to_bytes());
        let read = read_share(&other, OperatorIndex(2), &right).expect("opens");
        assert_eq!(read.share.to_bytes(), share.to_bytes());
        let refused = read_identity(&one, &wrong).expect_err("another passphrase");
        assert!(matches!(refused, KeyError::PassphraseWrong { .. }), "{refused}");
        let refused = read_share(&other, OperatorIndex(2), &wrong).map(|_| ()).expect_err("another passphrase");
        assert!(matches!(refused, KeyError::PassphraseWrong { .. }), "{refused}");
    }

    #[test]
    fn a_keystore_beside_another_public_key_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("share.json");
        let source = passphrase(directory.path(), "correct horse");
        let rng = &mut rand::rng();
        write_encrypted_share(rng, &path, &share(), "test", source.choose(&path).expect("good"), Kdf::Pbkdf2)
            .expect("written");
        let text = std::fs::read_to_string(&path).expect("read");
        let mut document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        document["pubkey"] = serde_json::json!(share_public_key(&share()).trim_start_matches("0x"));
        std::fs::write(&path, document.to_string()).expect("written");
        let refusal = read_share(&path, OperatorIndex(2), &source).map(|_| ()).expect_err("another's").to_string();
        assert!(refusal.contains("pubkey"), "{refusal}");
    }
}
