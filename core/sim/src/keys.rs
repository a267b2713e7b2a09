//! The keys of a simulated cluster, out of its seed.

use crate::random::{Random, Stream};
use crate::workload::CHAIN_ID;
use phalanx_bls::Backend;
use phalanx_threshold::{BlsMinSig, BlsSigner, Domain, Identity, PartialSigner, ThresholdScheme, Verifier, deal, toy};
use phalanx_types::{B256, ClusterId, ClusterSize, OperatorIndex};
use std::sync::Arc;

/// How votes are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A linear scheme without security: a microsecond an operation.
    Toy,
    /// BLS12-381 as operators use it: about a millisecond an operation.
    Bls,
}

/// All keys, secret and public.
#[derive(Debug)]
pub struct Keys {
    /// For what everything is signed.
    pub domain: Domain,
    /// Checks everything.
    pub verifier: Arc<Verifier>,
    /// The share of each operator.
    pub signers: Vec<Arc<dyn PartialSigner>>,
    identity_seeds: Vec<[u8; 32]>,
}

impl Keys {
    /// The keys of a seed.
    #[must_use]
    pub fn new(seed: u64, size: ClusterSize, scheme: Scheme) -> Self {
        let mut random = Random::new(seed, Stream::Keys);
        let domain = Domain::new(CHAIN_ID, ClusterId(B256::left_padding_from(&seed.to_be_bytes())));
        let (scheme, signers) = threshold_keys(&mut random, size, scheme);
        let identity_seeds: Vec<[u8; 32]> = size
            .operators()
            .map(|_| {
                let mut seed = [0; 32];
                seed.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&random.number().to_be_bytes()));
                seed
            })
            .collect();
        let identities = identity_seeds.iter().map(|seed| Identity::from_seed(seed).public()).collect();
        let verifier = Verifier::new(domain, size, scheme, identities).expect("one identity for each operator");
        Self { domain, verifier: Arc::new(verifier), signers, identity_seeds }
    }

    /// An operator's secret identity.
    #[must_use]
    pub fn identity(&self, operator: OperatorIndex) -> Identity {
        Identity::from_seed(&self.identity_seeds[operator.as_usize()])
    }
}

type ThresholdKeys = (Arc<dyn ThresholdScheme>, Vec<Arc<dyn PartialSigner>>);

fn threshold_keys(random: &mut Random, size: ClusterSize, scheme: Scheme) -> ThresholdKeys {
    match scheme {
        Scheme::Toy => {
            let (scheme, signers) = toy::deal(random.rng(), size);
            let signers = signers.into_iter().map(|signer| Arc::new(signer) as Arc<dyn PartialSigner>);
            (Arc::new(scheme), signers.collect())
        }
        Scheme::Bls => {
            let dealt = deal(random.rng(), size);
            let scheme = BlsMinSig::new(Backend::detect(), size, dealt.public_key, dealt.share_keys)
                .expect("a dealer's keys belong together");
            let signer = |share| Arc::new(BlsSigner::<phalanx_bls::MinSig>::new(share)) as Arc<dyn PartialSigner>;
            (Arc::new(scheme), dealt.shares.into_iter().map(signer).collect())
        }
    }
}
