//! EIP-2335: a secret encrypted under a passphrase, as JSON.
//!
//! Invariants: decoding is strict and bounded, so that a file of somebody else cannot ask for unbounded memory
//! or time; the plaintext leaves as [`Zeroizing`] bytes only; nothing secret is in an error or in `Debug`.
//!
//! Left to others: where the file is and who may read it (`file`), and whether the secret is that of the public
//! key beside it.

use super::Passphrase;
use aes::Aes128;
use alloy_primitives::hex;
use core::fmt;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use pbkdf2::pbkdf2_hmac;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The version that EIP-2335 gives its documents.
pub const KEYSTORE_VERSION: u32 = 4;
/// The longest secret. Unit: bytes.
pub const SECRET_BYTES_MAX: usize = 1 << 10;
/// What a key derivation may take at most. Unit: bytes of memory.
const SCRYPT_MEMORY_BYTES_MAX: u64 = 1 << 30;
const SCRYPT_PARALLELISM_MAX: u32 = 16;
const PBKDF2_ROUNDS_MAX: u32 = 1 << 24;
const SALT_BYTES_MAX: usize = 1 << 10;

/// EIP-2335's own parameters.
const SCRYPT_LOG_N: u8 = 18;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;
const PBKDF2_ROUNDS: u32 = 1 << 18;

const DERIVED_BYTES: usize = 32;
const CIPHER_KEY_BYTES: usize = 16;

type Cipher = Ctr128BE<Aes128>;

/// How a passphrase becomes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kdf {
    /// RFC 7914, with 256 MiB of memory: the harder one to guess against.
    Scrypt,
    /// RFC 8018 with HMAC-SHA256: for machines without the memory.
    Pbkdf2,
}

/// A whole keystore of a BLS key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keystore {
    /// The encrypted secret.
    pub crypto: Crypto,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// The public key in hexadecimal, without a prefix.
    #[serde(default)]
    pub pubkey: String,
    /// Where the key stands in a tree of keys (EIP-2334). A share stands in none: empty.
    pub path: String,
    /// Names the file.
    pub uuid: String,
    /// [`KEYSTORE_VERSION`]
    pub version: u32,
}

/// The encrypted secret: EIP-2335's `crypto`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crypto {
    kdf: KdfModule,
    checksum: ChecksumModule,
    cipher: CipherModule,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "function", rename_all = "lowercase", deny_unknown_fields)]
enum KdfModule {
    Scrypt { params: ScryptParams, message: Empty },
    Pbkdf2 { params: Pbkdf2Params, message: Empty },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScryptParams {
    dklen: u32,
    n: u64,
    p: u32,
    r: u32,
    salt: Hex,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pbkdf2Params {
    dklen: u32,
    c: u32,
    prf: Prf,
    salt: Hex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Prf {
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChecksumModule {
    function: ChecksumFunction,
    params: NoParams,
    message: Hex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum ChecksumFunction {
    #[serde(rename = "sha256")]
    Sha256,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CipherModule {
    function: CipherFunction,
    params: CipherParams,
    message: Hex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum CipherFunction {
    #[serde(rename = "aes-128-ctr")]
    Aes128Ctr,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CipherParams {
    iv: Hex,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoParams {}

/// A module's message that must be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Empty {
    #[serde(rename = "")]
    Empty,
}

/// Bytes in hexadecimal, without a prefix when written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hex(Vec<u8>);

impl Serialize for Hex {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text).map(Self).map_err(|_| serde::de::Error::custom("not hexadecimal"))
    }
}

/// Why a keystore does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeystoreError {
    /// The checksum differs.
    #[error("the passphrase is not the one that it was encrypted with")]
    Passphrase,
    /// It asks for more than any honest one does, or for what does not fit together.
    #[error("{0}")]
    Unusable(&'static str),
}

impl Keystore {
    /// Encrypts a BLS secret.
    #[must_use]
    pub fn encrypt(
        rng: &mut dyn CryptoRng,
        secret: &[u8],
        passphrase: &Passphrase,
        kdf: Kdf,
        pubkey: &[u8],
        description: String,
    ) -> Self {
        let mut uuid = [0; 16];
        rng.fill_bytes(&mut uuid);
        Self {
            crypto: Crypto::encrypt(rng, secret, passphrase, kdf),
            description,
            pubkey: hex::encode(pubkey),
            path: String::new(),
            uuid: uuid::Builder::from_random_bytes(uuid).into_uuid().to_string(),
            version: KEYSTORE_VERSION,
        }
    }

    /// Reads one, strictly.
    ///
    /// # Errors
    /// A sentence that says what is wrong, without any of the text.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let keystore: Self = super::file::parse(text)?;
        if keystore.version != KEYSTORE_VERSION {
            return Err(format!("it has version {}, an EIP-2335 keystore has {KEYSTORE_VERSION}", keystore.version));
        }
        Ok(keystore)
    }
}

impl Crypto {
    /// Encrypts.
    ///
    /// # Panics
    /// For secrets beyond [`SECRET_BYTES_MAX`].
    #[must_use]
    pub fn encrypt(rng: &mut dyn CryptoRng, secret: &[u8], passphrase: &Passphrase, kdf: Kdf) -> Self {
        assert!(secret.len() <= SECRET_BYTES_MAX, "a keystore holds secrets of at most {SECRET_BYTES_MAX} bytes");
        let (mut salt, mut iv) = (vec![0; DERIVED_BYTES], vec![0; CIPHER_KEY_BYTES]);
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut iv);
        let (salt, dklen) = (Hex(salt), 32);
        let kdf = match kdf {
            Kdf::Scrypt => KdfModule::Scrypt {
                params: ScryptParams { dklen, n: 1 << SCRYPT_LOG_N, p: SCRYPT_P, r: SCRYPT_R, salt },
                message: Empty::Empty,
            },
            Kdf::Pbkdf2 => KdfModule::Pbkdf2 {
                params: Pbkdf2Params { dklen, c: PBKDF2_ROUNDS, prf: Prf::HmacSha256, salt },
                message: Empty::Empty,
            },
        };
        let key = kdf.derive(passphrase).expect("EIP-2335's own parameters are within the bounds");
        let mut message = secret.to_vec();
        apply_cipher(&key, &iv, &mut message).expect("an iv of 16 bytes was drawn");
        Self {
            kdf,
            checksum: ChecksumModule {
                function: ChecksumFunction::Sha256,
                params: NoParams {},
                message: Hex(checksum(&key, &message)),
            },
            cipher: CipherModule {
                function: CipherFunction::Aes128Ctr,
                params: CipherParams { iv: Hex(iv) },
                message: Hex(message),
            },
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`KeystoreError`]
    pub fn decrypt(&self, passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
        let message = &self.cipher.message.0;
        if message.len() > SECRET_BYTES_MAX {
            return Err(KeystoreError::Unusable("its secret is longer than any key"));
        }
        let key = self.kdf.derive(passphrase)?;
        if checksum(&key, message) != self.checksum.message.0 {
            return Err(KeystoreError::Passphrase);
        }
        let mut secret = Zeroizing::new(message.clone());
        apply_cipher(&key, &self.cipher.params.iv.0, &mut secret)?;
        Ok(secret)
    }

    /// How its key is derived.
    #[must_use]
    pub fn kdf(&self) -> Kdf {
        match self.kdf {
            KdfModule::Scrypt { .. } => Kdf::Scrypt,
            KdfModule::Pbkdf2 { .. } => Kdf::Pbkdf2,
        }
    }
}

impl fmt::Debug for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crypto").field("kdf", &self.kdf()).finish_non_exhaustive()
    }
}

impl KdfModule {
    fn derive(&self, passphrase: &Passphrase) -> Result<Zeroizing<[u8; DERIVED_BYTES]>, KeystoreError> {
        const PARAMS: KeystoreError =
            KeystoreError::Unusable("its key derivation has parameters that are out of range");
        let mut key = Zeroizing::new([0; DERIVED_BYTES]);
        let (dklen, salt) = match self {
            Self::Scrypt { params, .. } => (params.dklen, &params.salt.0),
            Self::Pbkdf2 { params, .. } => (params.dklen, &params.salt.0),
        };
        // A longer key would differ in its first bytes from none of these: 32 is all that the cipher and the checksum use.
        if dklen as usize != DERIVED_BYTES || salt.len() > SALT_BYTES_MAX {
            return Err(PARAMS);
        }
        match self {
            Self::Scrypt { params, .. } => {
                let memory = params.n.checked_mul(128 * u64::from(params.r)).ok_or(PARAMS)?;
                let usable = params.n.is_power_of_two()
                    && params.n > 1
                    && (1..=SCRYPT_MEMORY_BYTES_MAX).contains(&memory)
                    && (1..=SCRYPT_PARALLELISM_MAX).contains(&params.p);
                if !usable {
                    return Err(PARAMS);
                }
                let log_n = u8::try_from(params.n.trailing_zeros()).map_err(|_| PARAMS)?;
                let params = scrypt::Params::new(log_n, params.r, params.p).map_err(|_| PARAMS)?;
                scrypt::scrypt(passphrase.as_bytes(), salt, &params, key.as_mut()).map_err(|_| PARAMS)?;
            }
            Self::Pbkdf2 { params, .. } => {
                if !(1..=PBKDF2_ROUNDS_MAX).contains(&params.c) {
                    return Err(PARAMS);
                }
                pbkdf2_hmac::<Sha256>(passphrase.as_bytes(), salt, params.c, key.as_mut());
            }
        }
        Ok(key)
    }
}

fn checksum(key: &[u8; DERIVED_BYTES], message: &[u8]) -> Vec<u8> {
    Sha256::new().chain_update(&key[CIPHER_KEY_BYTES..]).chain_update(message).finalize().to_vec()
}

/// Encrypts or decrypts in place.
fn apply_cipher(key: &[u8; DERIVED_BYTES], iv: &[u8], bytes: &mut [u8]) -> Result<(), KeystoreError> {
    let mut cipher = Cipher::new_from_slices(&key[..CIPHER_KEY_BYTES], iv)
        .map_err(|_| KeystoreError::Unusable("its iv has not 16 bytes"))?;
    cipher.apply_keystream(bytes);
    Ok(())
}

#[cfg(test)]
mod tests;
