//! Pipelines wired in memory, in virtual time: messages take a millisecond or two, disks are memory,
//! execution says yes.

use phalanx_consensus::{Collectors, Config, Missing, Recipients, Verdict};
use phalanx_journal::memory::{MemoryDisk, Unsynced};
use phalanx_journal::{Journal, JournalHeader};
use phalanx_pipeline::{Handles, NoObserver, Outbound, Outcome, PipelineConfig, Turn, Wakes, Work, restore};
use phalanx_threshold::{Domain, Identity, PartialSigner, ThresholdScheme, Verifier};
use phalanx_types::{
    B256, Block, BlockInspector, BlockRef, Bytes, Certificate, ClusterId, ClusterSize, InspectError, Message,
    OperatorIndex, Position, Time, Vote, VoteKind, keccak256,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const BLOCK_TIME: Duration = Duration::from_millis(10);

/// Reads a payload that is a number (8), the parent's hash (32), and anything.
#[derive(Debug)]
pub(crate) struct PlainInspector;

impl BlockInspector for PlainInspector {
    fn inspect(&self, payload: Bytes) -> Result<Block, InspectError> {
        let error = || InspectError("shorter than its fixed part".to_owned());
        let (number, rest) = payload.split_first_chunk::<8>().ok_or_else(error)?;
        let (parent, _) = rest.split_first_chunk::<32>().ok_or_else(error)?;
        let reference = BlockRef::new(u64::from_be_bytes(*number), keccak256(&payload));
        Ok(Block { reference, parent_hash: B256::from(parent), timestamp_s: 0, payload: payload.clone() })
    }
}

pub(crate) fn genesis() -> BlockRef {
    BlockRef::new(0, B256::repeat_byte(0xAA))
}

/// The keys of a cluster.
pub(crate) struct Keys {
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) signers: Vec<Arc<dyn PartialSigner>>,
    pub(crate) identities: Vec<Arc<Identity>>,
}

impl Keys {
    pub(crate) fn new(scheme: Arc<dyn ThresholdScheme>, signers: Vec<Arc<dyn PartialSigner>>) -> Self {
        let size = ClusterSize::new(signers.len()).expect("within range");
        let identities: Vec<Arc<Identity>> =
            size.operators().map(|index| Arc::new(Identity::from_seed(&[index.0.to_be_bytes()[1]; 32]))).collect();
        let keys = identities.iter().map(|identity| identity.public()).collect();
        let domain = Domain::new(7, ClusterId(B256::repeat_byte(1)));
        let verifier = Verifier::new(domain, size, scheme, keys).expect("one identity for each");
        Self { verifier: Arc::new(verifier), signers, identities }
    }
}

/// One operator, up or down. What survives a crash is apart from what does not.
pub(crate) struct Node {
    pub(crate) up: Option<(Turn<MemoryDisk>, Handles)>,
    disk: Option<MemoryDisk>,
    /// The chain store: survives.
    pub(crate) blocks: BTreeMap<B256, Arc<Block>>,
    pub(crate) committed: BlockRef,
    pub(crate) chain: Vec<B256>,
    kept: Vec<Certificate>,
    results: VecDeque<Outcome>,
    pub(crate) fatal: Option<String>,
    /// Takes neither work nor messages out while set.
    pub(crate) stalled: bool,
    lives: u8,
}

pub(crate) type Tamper = Box<dyn FnMut(&Keys, OperatorIndex, Message) -> Vec<Message>>;

pub(crate) struct Network {
    pub(crate) keys: Keys,
    pub(crate) nodes: Vec<Node>,
    pub(crate) now: Time,
    in_flight: BTreeMap<(Time, u64), (OperatorIndex, OperatorIndex, Message)>,
    sequence: u64,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) tamper: Option<Tamper>,
    /// Every vote that ever left, to show that none contradicts another.
    pub(crate) said: BTreeMap<(OperatorIndex, VoteKind, Position), Vote>,
}

impl Network {
    pub(crate) fn new(keys: Keys, seed: u8) -> Self {
        let mut network = Self {
            nodes: Vec::new(),
            now: Time::ZERO,
            in_flight: BTreeMap::new(),
            sequence: 0,
            rng: ChaCha20Rng::from_seed([seed; 32]),
            tamper: None,
            said: BTreeMap::new(),
            keys,
        };
        for _ in network.keys.verifier.size().operators() {
            network.nodes.push(Node {
                up: None,
                disk: Some(MemoryDisk::new()),
                blocks: BTreeMap::new(),
                committed: genesis(),
                chain: Vec::new(),
                kept: Vec::new(),
                results: VecDeque::new(),
                fatal: None,
                stalled: false,
                lives: 0,
            });
        }
        for index in 0..network.nodes.len() {
            network.start(index);
        }
        network
    }

    fn engine_config(&self, me: OperatorIndex) -> Config {
        Config {
            me,
            size: self.keys.verifier.size(),
            epoch: 0,
            genesis: genesis(),
            slots_per_term: 20,
            block_time: BLOCK_TIME,
            pipeline_depth: 4,
            progress_timeout_min: Duration::from_millis(60),
            progress_timeout_max: Duration::from_secs(2),
            finality_lag_min: Duration::from_millis(120),
            finality_lag_max: Duration::from_secs(4),
            resend_interval_min: Duration::from_millis(40),
            resend_interval_max: Duration::from_millis(400),
            jitter_seed: u64::from(me.0),
            collectors: Collectors::default(),
        }
    }

    /// Starts, or restarts from the journal.
    pub(crate) fn start(&mut self, index: usize) {
        let me = operator(index);
        let owner = JournalHeader {
            cluster: self.keys.verifier.domain().cluster_id(),
            operator: me,
            share_public_key: Bytes::from_static(b"share"),
        };
        let engine = self.engine_config(me);
        let node = &mut self.nodes[index];
        let disk = node.disk.take().expect("a node that is down has its disk");
        let (journal, records) = Journal::open(disk, owner).expect("a crash is not damage");
        let mut blocks: Vec<_> =
            node.blocks.values().filter(|block| block.reference.number > node.committed.number).cloned().collect();
        blocks.sort_by_key(|block| block.reference.number);
        let committed = Some(node.committed).filter(|committed| committed.number > 0);
        let restored =
            restore(records, blocks, committed, &self.keys.verifier, &mut self.rng).expect("own certificates");
        node.lives += 1;
        let config = PipelineConfig {
            engine,
            verifier: Arc::clone(&self.keys.verifier),
            signer: Arc::clone(&self.keys.signers[index]),
            identity: Arc::clone(&self.keys.identities[index]),
            inspector: Arc::new(PlainInspector),
            journal: journal.with_compaction_bytes(50_000),
            restored,
            rng_seed: [node.lives; 32],
            wakes: Wakes::default(),
            observer: Box::new(NoObserver),
            now: self.now,
        };
        node.up = Some(Turn::new(config).expect("a journal of its own"));
        node.fatal = None;
    }

    /// A power failure. Messages in flight stay in flight.
    pub(crate) fn crash(&mut self, index: usize, unsynced: Unsynced) {
        let node = &mut self.nodes[index];
        if let Some((turn, _)) = node.up.take() {
            let mut disk = turn.sign.into_journal().into_disk();
            disk.crash(unsynced);
            node.disk = Some(disk);
            node.results.clear();
        }
    }

    /// Runs for so long in virtual time.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            let wake_at = self.settle();
            let arrival = self.in_flight.first_key_value().map(|((at, _), _)| *at);
            let next = [wake_at, arrival].into_iter().flatten().min().unwrap_or(end);
            self.now = next.max(self.now + Duration::from_micros(50)).min(end);
            self.deliver();
        }
    }

    /// Runs everybody until nobody has anything to do; says when somebody will.
    fn settle(&mut self) -> Option<Time> {
        let mut wake_at = None;
        for _ in 0..10_000 {
            let mut did_work = false;
            for index in 0..self.nodes.len() {
                let Some((turn, _)) = &mut self.nodes[index].up else { continue };
                let progress = turn.run(self.now);
                did_work |= progress.did_work;
                wake_at = wake_at.into_iter().chain(progress.wake_at.filter(|at| *at > self.now)).min();
                if !self.nodes[index].stalled {
                    did_work |= self.drive(index);
                }
            }
            if !did_work {
                return wake_at;
            }
        }
        panic!("the pipelines do not come to rest at {}", self.now);
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.in_flight.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let (from, to, message) = entry.remove();
            if let Some((_, handles)) = &self.nodes[to.as_usize()].up {
                handles.ingress.push(from, message);
            }
        }
    }

    pub(crate) fn send(&mut self, from: OperatorIndex, to: OperatorIndex, message: Message) {
        let delay = Duration::from_micros(1_000 + self.rng.next_u64() % 1_000);
        self.sequence += 1;
        self.in_flight.insert((self.now + delay, self.sequence), (from, to, message));
    }

    fn drive(&mut self, index: usize) -> bool {
        let mut did_work = false;
        while let Some(out) = self.nodes[index].up.as_ref().and_then(|(_, handles)| handles.outbound.pop()) {
            did_work = true;
            match out {
                Outbound::Send { recipients, message } => self.send_out(index, &recipients, message),
                Outbound::Fatal(error) => self.nodes[index].fatal = Some(error.to_string()),
            }
        }
        while let Some(work) = self.nodes[index].up.as_ref().and_then(|(_, handles)| handles.work.pop()) {
            did_work = true;
            self.work(index, work);
        }
        let node = &mut self.nodes[index];
        while let Some(outcome) = node.results.pop_front() {
            let (_, handles) = node.up.as_ref().expect("only a node that is up is driven");
            did_work = true;
            if let Err(outcome) = handles.results.push(outcome) {
                node.results.push_front(outcome);
                break;
            }
        }
        did_work
    }

    fn send_out(&mut self, index: usize, recipients: &Recipients, message: Message) {
        let from = operator(index);
        let messages = match &mut self.tamper {
            Some(tamper) => tamper(&self.keys, from, message),
            None => vec![message],
        };
        for message in messages {
            if let Message::Vote(signed) = &message {
                self.note(signed.signer, signed.vote);
            }
            for to in 0..self.nodes.len() {
                let to = operator(to);
                let wanted = matches!(recipients, Recipients::Everyone)
                    || matches!(recipients, Recipients::Only(list) if list.contains(&to));
                if wanted && to != from {
                    self.send(from, to, message.clone());
                }
            }
        }
    }

    /// Invariant 3, and that no `Nullify` stands at or below a `Finalize` of its term.
    fn note(&mut self, signer: OperatorIndex, vote: Vote) {
        let before = self.said.insert((signer, vote.kind, vote.position), vote);
        assert!(before.is_none_or(|before| before == vote), "operator {signer} said {before:?} and {vote}");
    }

    fn work(&mut self, index: usize, work: Work) {
        match work {
            Work::Build { position, parent } => {
                let number = parent.number + 1;
                let salt = self.rng.next_u64();
                let payload = [&number.to_be_bytes()[..], parent.hash.as_slice(), &salt.to_be_bytes()].concat();
                let block = Arc::new(PlainInspector.inspect(payload.into()).expect("long enough"));
                let node = &mut self.nodes[index];
                node.blocks.insert(block.reference.hash, Arc::clone(&block));
                node.results.push_back(Outcome::Built { position, result: Ok(block) });
            }
            Work::Validate(block) => {
                let node = &mut self.nodes[index];
                let reference = block.reference;
                node.blocks.insert(reference.hash, block);
                node.results.push_back(Outcome::Validated { block: reference, verdict: Verdict::Valid });
            }
            Work::Commit(certificate) => self.commit(index, certificate.block()),
            Work::Fetch(Missing::Block(block)) => {
                let found = self.nodes.iter().find_map(|node| node.blocks.get(&block.hash)).cloned();
                self.nodes[index].results.extend(found.map(Outcome::Fetched));
            }
            Work::Fetch(Missing::Terms { from, to, .. }) => self.fetch_terms(index, from, to),
            Work::Keep(certificate) => self.nodes[index].kept.push(*certificate),
            Work::Halt(reason) => self.nodes[index].fatal = Some(format!("{reason:?}")),
            Work::Notarized(_) | Work::EnteredTerm { .. } | Work::Discard(_) => {}
        }
    }

    fn commit(&mut self, index: usize, target: BlockRef) {
        let mut path = Vec::new();
        let mut at = target;
        while at.number > self.nodes[index].committed.number {
            let found = self.nodes.iter().find_map(|node| node.blocks.get(&at.hash)).cloned();
            let block = found.expect("a finalized block is held by somebody");
            at = BlockRef::new(at.number - 1, block.parent_hash);
            path.push(block);
        }
        let node = &mut self.nodes[index];
        assert_eq!(at, node.committed, "a finalized block descends from the finalized one before it");
        for block in path.into_iter().rev() {
            node.chain.push(block.reference.hash);
            node.committed = block.reference;
            node.blocks.insert(block.reference.hash, block);
        }
        node.results.push_back(Outcome::Committed(node.committed));
    }

    fn fetch_terms(&mut self, index: usize, from: u64, to: u64) {
        for peer in 0..self.nodes.len() {
            let wanted = |certificate: &&Certificate| (from..=to).contains(&certificate.position().term);
            let found: Vec<Certificate> = self.nodes[peer].kept.iter().filter(wanted).copied().collect();
            if peer != index && !found.is_empty() {
                let (_, handles) = self.nodes[index].up.as_ref().expect("only a node that is up is driven");
                handles.ingress.push_fetched(operator(peer), found);
                return;
            }
        }
    }

    /// Invariants 1 and 4, and 3 with the rule about `Nullify`.
    pub(crate) fn check(&self) {
        let longest = self.nodes.iter().map(|node| &node.chain).max_by_key(|chain| chain.len()).expect("nodes");
        for node in &self.nodes {
            assert_eq!(node.chain[..], longest[..node.chain.len()], "one chain");
        }
        for (signer, kind, position) in self.said.keys() {
            // Above a Finalize is how a term is left after it, below may have been healed; at its very slot
            // a Nullify never stands.
            let both = *kind == VoteKind::Finalize && self.said.contains_key(&(*signer, VoteKind::Nullify, *position));
            assert!(!both, "operator {signer} said both Finalize and Nullify at {position}");
        }
    }

    pub(crate) fn heights(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.committed.number).collect()
    }
}

pub(crate) fn operator(index: usize) -> OperatorIndex {
    OperatorIndex(u16::try_from(index).expect("small"))
}
