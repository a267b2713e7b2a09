//! What a certificate proves, and what must hold between blocks: pure checks, without IO.
//!
//! A block is good when its header hashes to its hash and says what is claimed of it, its parent link names
//! the block before it, the headers above it lead to the block that its certificate names, and the
//! certificate's signature is the cluster's.

use crate::config::ClusterFile;
use crate::keys;
use crate::rpc::types::CertifiedBlock;
use alloy_consensus::Header;
use alloy_primitives::{B256, keccak256};
use alloy_rlp::Decodable;
use phalanx_bls::Backend;
use phalanx_threshold::{BlsMinSig, Domain, ThresholdScheme, digest};
use phalanx_types::{BlockRef, Certificate, ClusterSize, SignatureBytes, VoteKind};
use std::collections::BTreeSet;

/// The first thing wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    /// Of a block.
    #[error("block {number}: {what}")]
    Block {
        /// Its height, as asked for.
        number: u64,
        /// What is wrong with it.
        what: String,
    },
    /// Of a certificate by itself.
    #[error("the {0}: its signature is not the cluster's")]
    Signature(Box<Certificate>),
}

/// Where a run of blocks has got to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    /// The block before the next one, where it is known.
    tip: Option<BlockRef>,
    /// The height of the next block, where it is asked for.
    next: Option<u64>,
}

impl Chain {
    /// The next block may be any.
    pub(super) fn anywhere() -> Self {
        Self { tip: None, next: None }
    }

    /// The next block has this height; the one before it is not known.
    pub(super) fn at(next: u64) -> Self {
        Self { tip: None, next: Some(next) }
    }

    /// The next block stands on genesis.
    pub(super) fn from_genesis(hash: B256) -> Self {
        Self { tip: Some(BlockRef::new(0, hash)), next: Some(1) }
    }
}

/// Checks under one cluster's public key.
#[derive(Debug)]
pub(super) struct Checker {
    scheme: BlsMinSig,
    domain: Domain,
}

impl Checker {
    /// Of the cluster in the file.
    pub(super) fn new(cluster: &ClusterFile) -> anyhow::Result<Self> {
        let key = keys::public_key(cluster)?;
        // The operators and their shares do not matter here: to a verifier the cluster is one signer whose
        // share is the whole key.
        let one = ClusterSize::new(1).expect("one is a size");
        let scheme = BlsMinSig::new(Backend::detect(), one, key, vec![key])?;
        Ok(Self { scheme, domain: Domain::new(cluster.definition.chain_id, cluster.cluster_id) })
    }

    /// Checks one certificate by itself.
    pub(super) fn certificate(&self, certificate: &Certificate) -> Result<(), Wrong> {
        if self.signatures_good(&[*certificate]).iter().all(|good| *good) {
            return Ok(());
        }
        Err(Wrong::Signature(Box::new(*certificate)))
    }

    /// Checks blocks that follow each other and `chain`, which moves on; returns how many different
    /// certificates were checked. The first thing wrong, by height, is the error.
    pub(super) fn blocks(&self, chain: &mut Chain, blocks: &[CertifiedBlock]) -> Result<usize, Wrong> {
        let mut certificates: Vec<(u64, Certificate)> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut structural = None;
        for block in blocks {
            let checked = check_links(chain, block);
            if let Err(what) = checked {
                structural = Some(Wrong::Block { number: block.block.number, what });
                break;
            }
            for certificate in block.notarization.iter().chain([&block.certificate]) {
                if seen.insert((certificate.vote, certificate.signature)) {
                    certificates.push((block.block.number, *certificate));
                }
            }
        }
        let bare: Vec<_> = certificates.iter().map(|(_, certificate)| *certificate).collect();
        let verdicts = self.signatures_good(&bare);
        if let Some((_, (number, certificate))) = verdicts.iter().zip(&certificates).find(|(good, _)| !**good) {
            let what = format!("the signature of its {certificate} is not the cluster's");
            return Err(Wrong::Block { number: *number, what });
        }
        structural.map_or(Ok(certificates.len()), Err)
    }

    fn signatures_good(&self, certificates: &[Certificate]) -> Vec<bool> {
        let items: Vec<(B256, SignatureBytes)> = certificates
            .iter()
            .map(|certificate| (digest(&self.domain, &certificate.vote), certificate.signature))
            .collect();
        let verdicts = self.scheme.verify(&mut rand::rng(), &items);
        let well_formed = certificates.iter().map(|certificate| certificate.vote.is_well_formed());
        verdicts.into_iter().zip(well_formed).map(|(good, well_formed)| good && well_formed).collect()
    }
}

/// Everything but signatures.
fn check_links(chain: &mut Chain, block: &CertifiedBlock) -> Result<(), String> {
    let header = read_header("its header", &block.header)?;
    let actual = BlockRef::new(header.number, keccak256(&block.header));
    if actual != block.block {
        return Err(format!("its header is that of block {actual}, not of {}", block.block));
    }
    if header.parent_hash != block.parent_hash || header.timestamp != block.timestamp_s {
        return Err("its parent or timestamp is not what its header says".to_owned());
    }
    if let Some(next) = chain.next
        && chain.tip.is_none()
        && next != actual.number
    {
        return Err(format!("it was given where block {next} was asked for"));
    }
    if let Some(tip) = chain.tip {
        if tip.number.checked_add(1) != Some(actual.number) {
            return Err(format!("it does not follow block {}", tip.number));
        }
        if header.parent_hash != tip.hash {
            return Err(format!("its parent is {}, but block {} is {}", header.parent_hash, tip.number, tip.hash));
        }
    }
    let mut top = actual;
    for bytes in &block.ancestry {
        let above = read_header("a header above it", bytes)?;
        let above_ref = BlockRef::new(above.number, keccak256(bytes));
        if above.parent_hash != top.hash || top.number.checked_add(1) != Some(above.number) {
            return Err(format!("the header of block {above_ref} is shown above it, but does not stand on {top}"));
        }
        top = above_ref;
    }
    check_names(block, top)?;
    *chain = Chain { tip: Some(actual), next: actual.number.checked_add(1) };
    Ok(())
}

/// Whether the certificates name the blocks that they are shown for; `top` is the last header shown.
fn check_names(block: &CertifiedBlock, top: BlockRef) -> Result<(), String> {
    let certificate = &block.certificate;
    if !certificate.notarizes() || certificate.block() != top {
        return Err(format!("its certificate is the {certificate}, which certifies neither it nor the headers shown"));
    }
    if block.finalized && certificate.kind() != VoteKind::Finalize {
        return Err(format!("it is called final, but its certificate is the {certificate}"));
    }
    match &block.notarization {
        Some(notarization) if !notarization.notarizes() || notarization.block() != block.block => {
            Err(format!("its notarization is the {notarization}"))
        }
        _ => Ok(()),
    }
}

/// Reads a header of which not one byte is left unread or written another way.
fn read_header(what: &str, bytes: &[u8]) -> Result<Header, String> {
    let mut rest = bytes;
    let header = Header::decode(&mut rest).map_err(|error| format!("{what} is malformed: {error}"))?;
    let canonical = rest.is_empty() && alloy_rlp::encode(&header) == bytes;
    if canonical { Ok(header) } else { Err(format!("{what} is not canonically encoded")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ClusterDefinition, OperatorRecord};
    use alloy_genesis::Genesis;
    use alloy_primitives::{Bytes, FixedBytes};
    use phalanx_threshold::{BlsSigner, Deal, PartialSigner, deal};
    use phalanx_types::{OperatorIndex, Position, Vote};

    const GENESIS: B256 = B256::repeat_byte(0x11);

    struct Made {
        signer: BlsSigner,
        domain: Domain,
        checker: Checker,
    }

    /// A cluster of one: its only partial is the certificate.
    fn make() -> Made {
        let Deal { public_key, mut shares, .. } = deal(&mut rand::rng(), ClusterSize::new(1).expect("one"));
        let key = FixedBytes::from_slice(&public_key.to_bytes());
        let mut genesis = Genesis::default();
        genesis.config.chain_id = 7;
        let operators = vec![OperatorRecord {
            index: OperatorIndex(0),
            name: "solo".to_owned(),
            identity: B256::repeat_byte(1),
            share_key: key,
            address: "127.0.0.1:9000".to_owned(),
        }];
        let definition = ClusterDefinition {
            name: "test".to_owned(),
            chain_id: 7,
            public_key: key,
            slots_per_term: 50,
            block_time_ms: 100,
            genesis,
            operators,
        };
        let cluster = ClusterFile::new(definition, GENESIS).expect("a good definition");
        let checker = Checker::new(&cluster).expect("a good key");
        Made { signer: BlsSigner::new(shares.remove(0)), domain: Domain::new(7, cluster.cluster_id), checker }
    }

    impl Made {
        fn certify(&self, vote: Vote) -> Certificate {
            Certificate { vote, signature: self.signer.sign(&digest(&self.domain, &vote)) }
        }

        /// `count` blocks on genesis; all but the last are final by the finalization of the one above them.
        fn chain(&self, count: u64) -> Vec<CertifiedBlock> {
            let mut parent = GENESIS;
            let mut headers = Vec::new();
            for number in 1..=count + 1 {
                let header = Header { number, parent_hash: parent, timestamp: 100 + number, ..Header::default() };
                parent = header.hash_slow();
                headers.push((header, parent));
            }
            let position = |number: u64| Position::new(0, 0, u32::try_from(number).expect("few blocks"));
            let blocks = headers.windows(2).map(|pair| {
                let ((header, hash), (above, above_hash)) = (&pair[0], &pair[1]);
                let block = BlockRef::new(header.number, *hash);
                let finalize = Vote::finalize(position(above.number), BlockRef::new(above.number, *above_hash));
                CertifiedBlock {
                    block,
                    parent_hash: header.parent_hash,
                    timestamp_s: header.timestamp,
                    header: alloy_rlp::encode(header).into(),
                    position: Some(position(header.number)),
                    finalized: true,
                    certificate: self.certify(finalize),
                    notarization: Some(self.certify(Vote::notarize(position(header.number), block))),
                    ancestry: vec![alloy_rlp::encode(above).into()],
                }
            });
            blocks.collect()
        }

        fn verdict(&self, blocks: &[CertifiedBlock]) -> Result<usize, Wrong> {
            self.checker.blocks(&mut Chain::from_genesis(GENESIS), blocks)
        }
    }

    #[test]
    fn a_good_chain_is_good() {
        let made = make();
        assert_eq!(made.verdict(&made.chain(5)), Ok(10));
        assert_eq!(made.checker.blocks(&mut Chain::anywhere(), &made.chain(5)[3..]), Ok(4));
    }

    #[test]
    fn shared_certificates_are_checked_once() {
        let made = make();
        let mut blocks = made.chain(3);
        let top = blocks[2].clone();
        for index in 0..2 {
            let above = blocks[index + 1..].iter().map(|block| block.header.clone()).chain(top.ancestry.clone());
            blocks[index].ancestry = above.collect();
            blocks[index].certificate = top.certificate;
        }
        assert_eq!(made.verdict(&blocks), Ok(4), "three notarizations and one finalization");
    }

    #[test]
    fn every_forgery_is_named_at_its_height() {
        let made = make();
        let other = make();
        type Forge = fn(&Made, &mut CertifiedBlock);
        let forgeries: [(&str, Forge); 11] = [
            ("signature", |other, block| block.certificate = other.certify(block.certificate.vote)),
            ("signature", |_, block| block.certificate.vote.position.slot += 1),
            ("signature", |_, block| {
                let vote = Vote::notarize(block.certificate.position(), block.certificate.block());
                block.finalized = false;
                block.certificate.vote = vote;
            }),
            ("not canonical", |_, block| block.header = [&block.header[..], &[0]].concat().into()),
            ("malformed", |_, block| block.header = Bytes::from_static(&[1, 2, 3])),
            ("its header is that of", |_, block| block.block.hash = B256::ZERO),
            ("timestamp", |_, block| block.timestamp_s += 1),
            ("parent", |_, block| block.parent_hash = B256::ZERO),
            ("certifies neither", |_, block| block.ancestry.clear()),
            ("does not stand on", |_, block| block.ancestry.push(block.header.clone())),
            ("its notarization", |_, block| block.notarization = Some(block.certificate)),
        ];
        for (expected, forge) in forgeries {
            let mut blocks = made.chain(4);
            forge(&other, &mut blocks[2]);
            let wrong = made.verdict(&blocks).expect_err("forged");
            assert!(matches!(wrong, Wrong::Block { number: 3, .. }) || expected == "its header is that of", "{wrong}");
            assert!(wrong.to_string().contains(expected), "{expected}: {wrong}");
        }
    }

    #[test]
    fn the_lowest_wrong_is_reported_whatever_its_kind() {
        let made = make();
        let mut blocks = made.chain(4);
        blocks[3].timestamp_s += 1;
        blocks[1].certificate.signature = blocks[0].certificate.signature;
        let wrong = made.verdict(&blocks).expect_err("forged");
        assert!(matches!(wrong, Wrong::Block { number: 2, .. }), "{wrong}");
    }

    #[test]
    fn blocks_must_follow_each_other_and_genesis() {
        let made = make();
        let blocks = made.chain(4);
        let gap = [blocks[0].clone(), blocks[2].clone()];
        assert!(made.verdict(&gap).expect_err("a gap").to_string().contains("does not follow"));
        let elsewhere = made.checker.blocks(&mut Chain::from_genesis(B256::ZERO), &blocks);
        assert!(elsewhere.expect_err("another genesis").to_string().contains("its parent is"));
    }

    #[test]
    fn the_blocks_asked_for_are_the_ones_checked() {
        let made = make();
        let blocks = made.chain(6);
        assert_eq!(made.checker.blocks(&mut Chain::at(3), &blocks[2..]), Ok(8));
        let others = made.checker.blocks(&mut Chain::at(3), &blocks[3..]).expect_err("other blocks");
        assert!(others.to_string().contains("where block 3 was asked for"), "{others}");
    }

    #[test]
    fn a_notarization_is_not_called_final() {
        let made = make();
        let mut blocks = made.chain(1);
        blocks[0].certificate = blocks[0].notarization.expect("there");
        blocks[0].ancestry.clear();
        assert!(made.verdict(&blocks).expect_err("not final").to_string().contains("called final"));
        blocks[0].finalized = false;
        assert_eq!(made.verdict(&blocks), Ok(1));
    }

    #[test]
    fn a_nullification_verifies_by_itself() {
        let made = make();
        let nullification = made.certify(Vote::nullify(Position::new(0, 3, 0)));
        assert_eq!(made.checker.certificate(&nullification), Ok(()));
        let malformed = made.certify(Vote { block: BlockRef::new(1, B256::ZERO), ..nullification.vote });
        assert!(made.checker.certificate(&malformed).is_err());
        let foreign = make().certify(nullification.vote);
        assert!(made.checker.certificate(&foreign).is_err());
    }
}
