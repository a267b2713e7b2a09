//! The EIP's own vectors, and files that are not quite keystores.

use super::*;
use serde_json::{Value, json};

/// The EIP's password, whose NFKD form is "testpassword🔑".
const PASSWORD: &str = "𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑";
const SECRET: [u8; 32] = alloy_primitives::b256!("000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f").0;

fn vector(kdf: &Value, checksum: &str, cipher: &str) -> Value {
    json!({
        "crypto": {
            "kdf": kdf,
            "checksum": { "function": "sha256", "params": {}, "message": checksum },
            "cipher": {
                "function": "aes-128-ctr",
                "params": { "iv": "264daa3f303d7259501c93d997d84fe6" },
                "message": cipher,
            },
        },
        "description": "a vector of the EIP",
        "pubkey": "9612d7a727c9d0a22e185a1c768478dfe919cada9266988cb32359c11f2b7b27f4ae4040902382ae2910c15e2b420d07",
        "path": "m/12381/60/0/0",
        "uuid": "64625def-3331-4eea-ab6f-782f3ed16a83",
        "version": 4,
    })
}

const SALT: &str = "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3";

fn scrypt_vector() -> Value {
    vector(
        &json!({
            "function": "scrypt",
            "params": { "dklen": 32, "n": 262_144, "p": 1, "r": 8, "salt": SALT },
            "message": "",
        }),
        "d2217fe5f3e9a1e34581ef8a78f7c9928e436d36dacc5e846690a5581e8ea484",
        "06ae90d55fe0a6e9c5c3bc5b170827b2e5cce3929ed3f116c2811e6366dfe20f",
    )
}

fn pbkdf2_vector() -> Value {
    vector(
        &json!({
            "function": "pbkdf2",
            "params": { "dklen": 32, "c": 262_144, "prf": "hmac-sha256", "salt": SALT },
            "message": "",
        }),
        "8a9f5d9912ed7e75ea794bc5a89bca5f193721d30868ade6f73043c6ea6febf1",
        "cee03fde2af33149775b7223e7845e4fb2c8ae1792e5f99fe9ecf474cc8c16ad",
    )
}

fn open(document: &Value, password: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let keystore = Keystore::parse(document.to_string().as_bytes())?;
    keystore.crypto.decrypt(&Passphrase::new(password)).map_err(|error| error.to_string())
}

#[test]
fn the_vectors_of_the_eip_open() {
    for vector in [scrypt_vector(), pbkdf2_vector()] {
        assert_eq!(open(&vector, PASSWORD).expect("it opens").as_slice(), SECRET);
        assert_eq!(open(&vector, "testpassword🔑").expect("in its normal form").as_slice(), SECRET);
        assert_eq!(open(&vector, "test\u{7f}pass\u{1}word🔑\u{85}\n").expect("with control codes").as_slice(), SECRET);
    }
    let refusal = open(&pbkdf2_vector(), "testpassword").expect_err("another passphrase");
    assert!(refusal.contains("passphrase"), "{refusal}");
}

#[test]
fn what_is_encrypted_opens_again_with_its_passphrase_only() {
    let (right, wrong) = (Passphrase::new("correct horse"), Passphrase::new("correct house"));
    let rng = &mut rand::rng();
    let keystore = Keystore::encrypt(rng, &[7; 64], &right, Kdf::Pbkdf2, &[1, 2], "a test".to_owned());
    let text = serde_json::to_vec_pretty(&keystore).expect("JSON");
    let read = Keystore::parse(&text).expect("it reads back");
    assert_eq!(read, keystore);
    assert_eq!(read.pubkey, "0102");
    assert_eq!(read.crypto.decrypt(&right).expect("opens").as_slice(), [7; 64]);
    assert_eq!(read.crypto.decrypt(&wrong), Err(KeystoreError::Passphrase));
    let again = Keystore::encrypt(rng, &[7; 64], &right, Kdf::Pbkdf2, &[1, 2], "a test".to_owned());
    assert_ne!(again.crypto, keystore.crypto, "no salt or iv is used twice");
    assert_ne!(again.uuid, keystore.uuid);
}

#[test]
fn what_is_no_keystore_is_refused() {
    let changes: [fn(&mut Value); 10] = [
        |value| value["version"] = json!(3),
        |value| value["crypto"]["kdf"]["function"] = json!("argon2id"),
        |value| value["crypto"]["kdf"]["params"]["prf"] = json!("hmac-sha512"),
        |value| value["crypto"]["kdf"]["message"] = json!("x"),
        |value| value["crypto"]["cipher"]["function"] = json!("aes-256-ctr"),
        |value| value["crypto"]["cipher"]["params"]["iv"] = json!("26"),
        |value| value["crypto"]["checksum"]["message"] = json!("zz"),
        |value| value["crypto"]["kdf"]["params"]["dklen"] = json!(16),
        |value| value["crypto"]["kdf"]["params"]["c"] = json!(u32::MAX),
        |value| value["extra"] = json!(1),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut vector = pbkdf2_vector();
        change(&mut vector);
        assert!(open(&vector, PASSWORD).is_err(), "change {index}");
    }
}

#[test]
fn a_key_derivation_that_asks_for_too_much_is_refused_before_it_starts() {
    for (n, r, p) in
        [(1_u64 << 40, 8, 1), (1 << 20, 1 << 20, 1), (3, 8, 1), (0, 8, 1), (1 << 10, 0, 1), (1 << 10, 8, 1 << 20)]
    {
        let mut vector = scrypt_vector();
        let params = &mut vector["crypto"]["kdf"]["params"];
        (params["n"], params["r"], params["p"]) = (json!(n), json!(r), json!(p));
        let refusal = open(&vector, PASSWORD).expect_err("too much");
        assert!(refusal.contains("out of range"), "{refusal}");
    }
}
