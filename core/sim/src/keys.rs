//! The keys of a simulated cluster, out of its seed.

use crate::random::{Random, Stream};
use crate::workload::CHAIN_ID;
use phalanx_bls::{Backend, MinSig, Point, SCALAR_BYTES, Scalar, Subgroup, Variant, Weights};
use phalanx_threshold::{BlsMinSig, BlsSigner, Domain, Identity, PartialSigner, ThresholdScheme, Verifier, deal, toy};
use phalanx_types::{B256, ClusterId, ClusterSize, OperatorIndex, SignatureBytes};
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
    scheme: Scheme,
}

impl Keys {
    /// The keys of a seed.
    #[must_use]
    pub fn new(seed: u64, size: ClusterSize, scheme: Scheme) -> Self {
        let mut random = Random::new(seed, Stream::Keys);
        let domain = Domain::new(CHAIN_ID, ClusterId(B256::left_padding_from(&seed.to_be_bytes())));
        let (verifies, signers) = threshold_keys(&mut random, size, scheme);
        let identity_seeds: Vec<[u8; 32]> = size
            .operators()
            .map(|_| {
                let mut seed = [0; 32];
                seed.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&random.number().to_be_bytes()));
                seed
            })
            .collect();
        let identities = identity_seeds.iter().map(|seed| Identity::from_seed(seed).public()).collect();
        let verifier = Verifier::new(domain, size, verifies, identities).expect("one identity for each operator");
        Self { domain, verifier: Arc::new(verifier), signers, identity_seeds, scheme }
    }

    /// An operator's secret identity.
    #[must_use]
    pub fn identity(&self, operator: OperatorIndex) -> Identity {
        Identity::from_seed(&self.identity_seeds[operator.as_usize()])
    }

    /// A partial with an error added to it, or taken from it: both are points of the scheme.
    ///
    /// # Panics
    /// When one of them is none.
    #[must_use]
    pub fn shifted(&self, partial: &SignatureBytes, error: &SignatureBytes, negative: bool) -> SignatureBytes {
        let sign = if negative { Scalar::ZERO - Scalar::one() } else { Scalar::one() };
        let bytes = match self.scheme {
            Scheme::Toy => {
                let number = |bytes: &SignatureBytes| {
                    let number = bytes.as_slice().last_chunk::<SCALAR_BYTES>().expect("as long as a signature");
                    Scalar::from_bytes(number).expect("what signs makes numbers")
                };
                let mut bytes = partial.as_slice().to_vec();
                let sum = number(partial) + number(error) * sign;
                let padding = bytes.len() - SCALAR_BYTES;
                bytes[padding..].copy_from_slice(&sum.to_bytes());
                bytes
            }
            Scheme::Bls => {
                let encodings = [partial.as_slice(), error.as_slice()];
                let points = MinSig::decode(Backend::detect(), &encodings, Subgroup::Skipped);
                let points: Vec<_> = points.into_iter().map(|point| point.expect("what signs makes points")).collect();
                let weights = Weights::from_scalars(&[Scalar::one(), sign]);
                let sum = MinSig::sum(Backend::detect(), &points, &weights).expect("not each other's negative");
                sum.to_bytes().as_slice().to_vec()
            }
        };
        SignatureBytes::try_from(bytes.as_slice()).expect("as long as before")
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
