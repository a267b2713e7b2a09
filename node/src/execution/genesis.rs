//! The genesis file, the fork schedule in it, and the block that it makes.
//!
//! Invariants: a [`ChainSpec`] has merged before block 0 (Paris), knows the forks from Shanghai to Osaka
//! by time, and nothing later; a [`Genesis`] holds the contracts that its forks call at the end of every
//! block. The genesis block follows go-ethereum's rules, so that other tools compute the same hash.
//!
//! Left to others: writing the accounts into the state (`store`).

use super::ExecutionError;
use super::header::{GAS_LIMIT_MAX, GAS_LIMIT_MIN};
use super::payload;
use alloy_consensus::constants::{EMPTY_OMMER_ROOT_HASH, EMPTY_WITHDRAWALS};
use alloy_consensus::{EMPTY_ROOT_HASH, Header};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_eips::eip7840::BlobParams;
use alloy_eips::{BlobScheduleBlobParams, eip1559, eip2935, eip4788, eip7002, eip7251};
use alloy_evm::eth::spec::EthExecutorSpec;
use alloy_genesis::{ChainConfig, Genesis as GenesisFile, GenesisAccount};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, U256, address};
use phalanx_types::{Block, BlockRef};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The gas limit that a devnet starts with. Unit: gas.
pub const DEVNET_GAS_LIMIT: u64 = 60_000_000;
/// What each of Foundry's usual test accounts holds on a devnet. Unit: wei.
pub const FOUNDRY_BALANCE_WEI: u128 = 10_000 * 10_u128.pow(18);

/// Which rules hold when: the fork schedule of a genesis file.
#[derive(Clone, Debug)]
pub struct ChainSpec {
    chain_id: u64,
    times: [(EthereumHardfork, Option<u64>); 4],
    blobs: BlobScheduleBlobParams,
    deposit_contract: Option<Address>,
}

impl ChainSpec {
    fn new(config: &ChainConfig) -> Result<Self, ExecutionError> {
        check_forks_before_merge(config)?;
        if config.amsterdam_time.is_some() || config.bogota_time.is_some() {
            return Err(misuse("the newest fork that this release runs is Osaka; remove amsterdamTime and bogotaTime"));
        }
        let times = [
            (EthereumHardfork::Shanghai, config.shanghai_time),
            (EthereumHardfork::Cancun, config.cancun_time),
            (EthereumHardfork::Prague, config.prague_time),
            (EthereumHardfork::Osaka, config.osaka_time),
        ];
        for pair in times.windows(2) {
            let [(earlier, earlier_time), (later, later_time)] = [pair[0], pair[1]];
            let ordered = match (earlier_time, later_time) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(earlier_time), Some(later_time)) => earlier_time <= later_time,
            };
            if !ordered {
                return Err(misuse(format!("{later} is scheduled before {earlier}")));
            }
        }
        let blobs = config.blob_schedule_blob_params();
        Ok(Self { chain_id: config.chain_id, times, blobs, deposit_contract: config.deposit_contract_address })
    }

    /// The EIP-155 chain id.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The blob parameters at `timestamp_s`; `None` before Cancun.
    #[must_use]
    pub fn blob_params(&self, timestamp_s: u64) -> Option<BlobParams> {
        if let Some(scheduled) = self.blobs.active_scheduled_params_at_timestamp(timestamp_s) {
            return Some(*scheduled);
        }
        if self.is_osaka_active_at_timestamp(timestamp_s) {
            Some(*self.blobs.osaka())
        } else if self.is_prague_active_at_timestamp(timestamp_s) {
            Some(*self.blobs.prague())
        } else if self.is_cancun_active_at_timestamp(timestamp_s) {
            Some(*self.blobs.cancun())
        } else {
            None
        }
    }
}

impl EthereumHardforks for ChainSpec {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        if let Some((_, time)) = self.times.iter().find(|(timed, _)| *timed == fork) {
            return time.map_or(ForkCondition::Never, ForkCondition::Timestamp);
        }
        if fork <= EthereumHardfork::Paris && fork != EthereumHardfork::Dao {
            ForkCondition::Block(0)
        } else {
            ForkCondition::Never
        }
    }
}

impl EthExecutorSpec for ChainSpec {
    fn deposit_contract_address(&self) -> Option<Address> {
        self.deposit_contract
    }
}

/// A genesis file that was checked, with the block that it makes.
#[derive(Clone, Debug)]
pub struct Genesis {
    spec: Arc<ChainSpec>,
    header: Header,
    block: Block,
    alloc: BTreeMap<Address, GenesisAccount>,
}

impl Genesis {
    /// Checks a genesis file and makes its block.
    ///
    /// # Errors
    /// [`ExecutionError::MisuseGenesis`] when it asks for something that this engine does not do.
    pub fn new(file: GenesisFile) -> Result<Self, ExecutionError> {
        let spec = ChainSpec::new(&file.config)?;
        check_contracts(&file)?;
        let header = genesis_header(&spec, &file)?;
        let block = payload::assemble(&header, &[]);
        Ok(Self { spec: Arc::new(spec), header, block, alloc: file.alloc })
    }

    /// Reads a genesis file in the usual JSON form.
    ///
    /// # Errors
    /// [`ExecutionError::MisuseGenesis`] when it is malformed, or asks for something that this engine does
    /// not do.
    pub fn from_json(text: &str) -> Result<Self, ExecutionError> {
        let file = serde_json::from_str(text).map_err(|error| misuse(error.to_string()))?;
        Self::new(file)
    }

    /// The EIP-155 chain id.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.spec.chain_id
    }

    /// The fork schedule.
    #[must_use]
    pub fn spec(&self) -> &Arc<ChainSpec> {
        &self.spec
    }

    /// The header of block 0.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Number 0 and the genesis hash.
    #[must_use]
    pub fn reference(&self) -> BlockRef {
        self.block.reference
    }

    /// Block 0 with its payload.
    #[must_use]
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// The accounts of block 0.
    pub(super) fn alloc(&self) -> &BTreeMap<Address, GenesisAccount> {
        &self.alloc
    }
}

/// A genesis file for a devnet: Osaka (the newest fork of this release) from block 0 on, the system
/// contracts of EIP-4788, EIP-2935, EIP-7002 and EIP-7251, and `prefunded` accounts with their balances in
/// wei.
#[must_use]
pub fn devnet_genesis(chain_id: u64, prefunded: &[(Address, U256)]) -> GenesisFile {
    let config = ChainConfig {
        chain_id,
        homestead_block: Some(0),
        eip150_block: Some(0),
        eip155_block: Some(0),
        eip158_block: Some(0),
        byzantium_block: Some(0),
        constantinople_block: Some(0),
        petersburg_block: Some(0),
        istanbul_block: Some(0),
        berlin_block: Some(0),
        london_block: Some(0),
        terminal_total_difficulty: Some(U256::ZERO),
        terminal_total_difficulty_passed: true,
        shanghai_time: Some(0),
        cancun_time: Some(0),
        prague_time: Some(0),
        osaka_time: Some(0),
        ..ChainConfig::default()
    };
    let contracts = system_contracts().map(|(address, code)| {
        let account = GenesisAccount { nonce: Some(1), code: Some(code), ..GenesisAccount::default() };
        (address, account)
    });
    let funded =
        prefunded.iter().map(|&(address, balance)| (address, GenesisAccount { balance, ..GenesisAccount::default() }));
    GenesisFile {
        config,
        gas_limit: DEVNET_GAS_LIMIT,
        alloc: funded.chain(contracts).collect(),
        ..GenesisFile::default()
    }
}

/// Foundry's ten usual test accounts, with 10,000 ether each. Their keys are public.
#[must_use]
pub fn foundry_accounts() -> Vec<(Address, U256)> {
    FOUNDRY_ADDRESSES.iter().map(|&address| (address, U256::from(FOUNDRY_BALANCE_WEI))).collect()
}

/// From the mnemonic `test test test test test test test test test test test junk`, `m/44'/60'/0'/0/0..=9`.
const FOUNDRY_ADDRESSES: [Address; 10] = [
    address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
    address!("70997970C51812dc3A010C7d01b50e0d17dc79C8"),
    address!("3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
    address!("90F79bf6EB2c4f870365E785982E1f101E93b906"),
    address!("15d34AAf54267DB7D7c367839AAf71A00a2C6A65"),
    address!("9965507D1a55bcC2695C58ba16FB37d819B0A4dc"),
    address!("976EA74026E726554dB657fA54763abd0C3a0aa9"),
    address!("14dC79964da2C08b23698B3D3cc7Ca32193d9955"),
    address!("23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f"),
    address!("a0Ee7A142d267C1f36714E4a8F75612F20a79720"),
];

fn system_contracts() -> [(Address, Bytes); 4] {
    [
        (eip4788::BEACON_ROOTS_ADDRESS, eip4788::BEACON_ROOTS_CODE.clone()),
        (eip2935::HISTORY_STORAGE_ADDRESS, eip2935::HISTORY_STORAGE_CODE.clone()),
        (eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE.clone()),
        (eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_CODE.clone()),
    ]
}

fn misuse(reason: impl Into<String>) -> ExecutionError {
    ExecutionError::MisuseGenesis(reason.into())
}

fn check_forks_before_merge(config: &ChainConfig) -> Result<(), ExecutionError> {
    let forks = [
        ("homesteadBlock", config.homestead_block),
        ("eip150Block", config.eip150_block),
        ("eip155Block", config.eip155_block),
        ("eip158Block", config.eip158_block),
        ("byzantiumBlock", config.byzantium_block),
        ("constantinopleBlock", config.constantinople_block),
        ("petersburgBlock", config.petersburg_block),
        ("istanbulBlock", config.istanbul_block),
        ("berlinBlock", config.berlin_block),
        ("londonBlock", config.london_block),
    ];
    if let Some((name, _)) = forks.iter().find(|(_, block)| *block != Some(0)) {
        return Err(misuse(format!("{name} must be 0: a chain starts merged")));
    }
    match config.terminal_total_difficulty {
        None | Some(U256::ZERO) => Ok(()),
        Some(_) => Err(misuse("terminalTotalDifficulty must be 0: a chain starts merged")),
    }
}

/// EIP-7002 and EIP-7251 make a block invalid when their contracts are missing.
fn check_contracts(file: &GenesisFile) -> Result<(), ExecutionError> {
    if file.config.prague_time.is_none() {
        return Ok(());
    }
    for (eip, address) in [
        (7002, eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS),
        (7251, eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS),
    ] {
        let code = file.alloc.get(&address).and_then(|account| account.code.as_ref());
        if code.is_none_or(|code| code.is_empty()) {
            return Err(misuse(format!("Prague calls the contract of EIP-{eip}, and alloc has no code at {address}")));
        }
    }
    Ok(())
}

fn genesis_header(spec: &ChainSpec, file: &GenesisFile) -> Result<Header, ExecutionError> {
    if file.number.unwrap_or_default() != 0 || file.parent_hash.unwrap_or_default() != B256::ZERO {
        return Err(misuse("number and parentHash must be zero"));
    }
    if !(GAS_LIMIT_MIN..=GAS_LIMIT_MAX).contains(&file.gas_limit) {
        return Err(misuse(format!("gasLimit must be between {GAS_LIMIT_MIN} and {GAS_LIMIT_MAX}")));
    }
    let base_fee = file.base_fee_per_gas.unwrap_or_else(|| eip1559::INITIAL_BASE_FEE.into());
    let base_fee = u64::try_from(base_fee).map_err(|_| misuse("baseFeePerGas does not fit 64 bits"))?;
    let time = file.timestamp;
    let cancun = spec.is_cancun_active_at_timestamp(time);
    let accounts = file.alloc.iter().map(|(address, account)| (*address, account.clone().into_trie_account()));
    Ok(Header {
        parent_hash: B256::ZERO,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: file.coinbase,
        state_root: alloy_trie::root::state_root_unhashed(accounts),
        transactions_root: EMPTY_ROOT_HASH,
        receipts_root: EMPTY_ROOT_HASH,
        logs_bloom: Bloom::ZERO,
        difficulty: file.difficulty,
        number: 0,
        gas_limit: file.gas_limit,
        gas_used: 0,
        timestamp: time,
        extra_data: file.extra_data.clone(),
        mix_hash: file.mix_hash,
        nonce: B64::from(file.nonce),
        base_fee_per_gas: Some(base_fee),
        withdrawals_root: spec.is_shanghai_active_at_timestamp(time).then_some(EMPTY_WITHDRAWALS),
        blob_gas_used: cancun.then(|| file.blob_gas_used.unwrap_or_default()),
        excess_blob_gas: cancun.then(|| file.excess_blob_gas.unwrap_or_default()),
        parent_beacon_block_root: cancun.then_some(B256::ZERO),
        requests_hash: spec.is_prague_active_at_timestamp(time).then_some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    })
}
