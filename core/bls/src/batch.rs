//! Checking many signatures from their bytes, in the two shapes where each comes with a message of its own:
//! many certificates under one key, and many keys. (The third shape, one vote's partials, belongs to whoever
//! shares a key: `phalanx-threshold`, over [`Variant::check_keys`].)
//!
//! Invariants: every point is decoded strictly and has its own subgroup check (the cofactors have small
//! factors, so a check of a random sum is none of its terms); a verdict against an item rests on that item
//! alone, never on a random sum.

use crate::backend::Backend;
use crate::bisect::bisect;
use crate::point::Subgroup;
use crate::variant::Variant;
use crate::weights::Weights;
use rand::CryptoRng;

/// The most items that share one random linear combination; more are done in several. Unit: items.
pub const BATCH_ITEMS_MAX: usize = 4_096;

/// One signature with the key that it is said to be of, all as sent.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The compressed key.
    pub key: &'a [u8],
    /// What was signed.
    pub message: &'a [u8],
    /// The compressed signature.
    pub signature: &'a [u8],
}

/// Which of many signatures are valid, each under its own key over its own message (`CoreVerify` of
/// draft-irtf-cfrg-bls-signature, in batches; keys and signatures at infinity are refused).
///
/// Whoever accepts several keys for one message must have a proof of possession for each, as the draft says.
pub fn verify_distinct<V: Variant>(backend: Backend, rng: &mut dyn CryptoRng, items: &[Signed<'_>]) -> Vec<bool> {
    items.chunks(BATCH_ITEMS_MAX).flat_map(|batch| verify_distinct_batch::<V>(backend, rng, batch)).collect()
}

fn verify_distinct_batch<V: Variant>(backend: Backend, rng: &mut dyn CryptoRng, items: &[Signed<'_>]) -> Vec<bool> {
    let keys: Vec<&[u8]> = items.iter().map(|item| item.key).collect();
    let signatures: Vec<&[u8]> = items.iter().map(|item| item.signature).collect();
    let (keys, signatures) = backend.join(
        items.len(),
        || V::decode_keys(backend, &keys),
        || V::decode(backend, &signatures, Subgroup::Checked),
    );
    let decoded: Vec<_> =
        keys.into_iter().zip(signatures).map(|(key, signature)| key.ok().zip(signature.ok())).collect();
    let (keys, signatures): (Vec<V::PublicKey>, Vec<V::Signature>) = decoded.iter().copied().flatten().unzip();
    let messages: Vec<&[u8]> =
        items.iter().zip(&decoded).filter(|(_, points)| points.is_some()).map(|(item, _)| item.message).collect();
    let weights = Weights::random(rng, keys.len());
    let verdicts = bisect(
        keys.len(),
        false,
        |range| {
            let weights = weights.range(range.clone());
            let (keys, signatures) = (&keys[range.clone()], &signatures[range.clone()]);
            V::check_distinct(backend, keys, &messages[range], signatures, &weights)
        },
        |index| {
            let hash = V::hash(backend, &messages[index..=index])[0];
            V::check_once(backend, &keys[index], &signatures[index], &hash)
        },
    );
    spread_verdicts(decoded.iter().map(Option::is_some), verdicts)
}

/// Which of many signatures, each given with its message, are valid under one key.
pub fn verify_messages<V: Variant>(
    backend: Backend,
    rng: &mut dyn CryptoRng,
    key: &V::PreparedKey,
    items: &[(&[u8], &[u8])],
) -> Vec<bool> {
    items.chunks(BATCH_ITEMS_MAX).flat_map(|batch| verify_messages_batch::<V>(backend, rng, key, batch)).collect()
}

fn verify_messages_batch<V: Variant>(
    backend: Backend,
    rng: &mut dyn CryptoRng,
    key: &V::PreparedKey,
    items: &[(&[u8], &[u8])],
) -> Vec<bool> {
    let encodings: Vec<&[u8]> = items.iter().map(|(_, signature)| *signature).collect();
    let decoded = V::decode(backend, &encodings, Subgroup::Checked);
    let signatures: Vec<V::Signature> = decoded.iter().filter_map(|point| point.as_ref().ok().copied()).collect();
    let messages: Vec<&[u8]> =
        items.iter().zip(&decoded).filter(|(_, point)| point.is_ok()).map(|((message, _), _)| *message).collect();
    let verdicts = check_messages_each::<V>(backend, rng, key, &messages, &signatures);
    spread_verdicts(decoded.iter().map(Result::is_ok), verdicts)
}

/// Which of many signatures are valid under one key, each over its own message; all in the subgroup.
pub fn check_messages_each<V: Variant>(
    backend: Backend,
    rng: &mut dyn CryptoRng,
    key: &V::PreparedKey,
    messages: &[&[u8]],
    signatures: &[V::Signature],
) -> Vec<bool> {
    assert_eq!(messages.len(), signatures.len(), "one signature for each message");
    let weights = Weights::random(rng, signatures.len());
    if signatures.len() > 1 && V::check_batch(backend, key, messages, signatures, &weights) {
        return vec![true; signatures.len()];
    }
    // Each hash is needed again and again from here on.
    let hashes = V::hash(backend, messages);
    bisect(
        signatures.len(),
        true,
        |range| {
            let weights = weights.range(range.clone());
            V::check_messages(backend, key, &signatures[range.clone()], &hashes[range], &weights)
        },
        |index| V::check(backend, key, &signatures[index], &hashes[index]),
    )
}

/// Gives each item that was decoded the next verdict, and the rest a bad one.
fn spread_verdicts(decoded: impl Iterator<Item = bool>, verdicts: Vec<bool>) -> Vec<bool> {
    let mut verdicts = verdicts.into_iter();
    decoded.map(|decoded| decoded && verdicts.next() == Some(true)).collect()
}
