//! The running cluster, and how each kind of fault is put into it and taken away again.

use crate::cluster::Files;
use crate::heights::Heights;
use crate::kind::Kind;
use crate::network::{Conditions, Network};
use crate::operator::{Launch, Operator, Tools};
use anyhow::{Context, bail, ensure};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// What [`Kind::SlowDisk`] adds to each sync.
pub(crate) const SYNC_DELAY: Duration = Duration::from_millis(50);
/// How far [`Kind::ClockForward`] and [`Kind::ClockBack`] step. Unit: seconds.
pub(crate) const CLOCK_STEP_S: i64 = 90;
/// After so many syncs [`Kind::FailingDisk`] begins: the operator has started and votes.
const SYNCS_BEFORE_FAILURE: u32 = 200;
/// How many blocks everybody must finalize for the cluster to count as well.
const BLOCKS_WHEN_WELL: u64 = 3;
/// How long the cluster may take to be well before anything is done to it.
const START_MAX: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(10);

/// A cluster under test.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) network: Network,
    pub(crate) operators: Vec<Operator>,
    pub(crate) heights: Heights,
    pub(crate) tools: Tools,
    /// How many operators may fail.
    pub(crate) faults: u8,
}

impl Suite {
    /// Starts all operators and waits until all of them finalize blocks.
    pub(crate) async fn start(network: Network, files: &Files) -> anyhow::Result<Self> {
        let mut operators =
            files.places.iter().map(|place| Operator::new(place.clone())).collect::<anyhow::Result<Vec<_>>>()?;
        for operator in &mut operators {
            operator.start(&Launch::Plain)?;
        }
        let clients: Vec<_> = operators.iter().map(|operator| operator.rpc.clone()).collect();
        let heights = Heights::follow(&clients);
        let faults = u8::try_from(files.cluster.size().f())?;
        let suite = Self { network, operators, heights, tools: Tools::find(), faults };
        suite.until_well(START_MAX).await.context("the cluster does not start")?;
        Ok(suite)
    }

    /// How many operators there are.
    pub(crate) fn size(&self) -> u8 {
        u8::try_from(self.operators.len()).expect("a suite has few operators")
    }

    /// Waits until every operator has finalized some blocks above all that is final now, and is connected to
    /// all others: with a link less, the next fault would be one too many.
    pub(crate) async fn until_well(&self, wait: Duration) -> anyhow::Result<()> {
        let (since, goal) = (Instant::now(), self.heights.highest() + BLOCKS_WHEN_WELL);
        while !self.heights.all_reached(goal, since) {
            if since.elapsed() >= wait {
                bail!("not all finalized block {goal} within {wait:?}: they show {:?}", self.heights.shown());
            }
            tokio::time::sleep(POLL).await;
        }
        for operator in &self.operators {
            while !operator.is_connected_to_all().await {
                let index = operator.place.index;
                ensure!(since.elapsed() < wait, "operator {index} is not connected to all others after {wait:?}");
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }

    /// The leader, as somebody who answers sees it.
    pub(crate) async fn leader(&self) -> anyhow::Result<u8> {
        for operator in &self.operators {
            if let Some(status) = operator.status().await {
                return Ok(u8::try_from(status.leader.as_usize())?);
            }
        }
        bail!("nobody says who leads")
    }

    fn operator(&mut self, index: u8) -> &mut Operator {
        &mut self.operators[usize::from(index)]
    }

    /// Kills an operator and starts it in another way.
    fn restart(&mut self, index: u8, launch: &Launch) -> anyhow::Result<()> {
        let operator = self.operator(index);
        operator.kill()?;
        operator.start(launch)
    }

    /// Starts the victims in the way that the fault needs, before it.
    pub(crate) async fn prepare(&mut self, kind: Kind, victims: &[u8]) -> anyhow::Result<()> {
        let (Kind::ClockForward | Kind::ClockBack, Some(library)) = (kind, self.tools.faketime.clone()) else {
            return Ok(());
        };
        for victim in victims {
            self.restart(*victim, &Launch::Clock { library: library.clone() })?;
        }
        self.until_well(START_MAX).await
    }

    /// Makes the fault.
    pub(crate) fn inject(&mut self, kind: Kind, victims: &[u8]) -> anyhow::Result<()> {
        let is_victim = |index: u8| victims.contains(&index);
        match kind {
            Kind::Latency => {
                let (delay, jitter) = (Duration::from_millis(60), Duration::from_millis(20));
                self.network.set_where(Conditions { delay, jitter, ..Conditions::default() }, |_, _| true)
            }
            Kind::Loss => {
                let conditions = Conditions { loss: 0.1, duplicate: 0.01, ..Conditions::default() };
                self.network.set_where(conditions, |_, _| true)
            }
            Kind::Narrow => {
                let conditions = Conditions { rate_kbit: Some(2_000), ..Conditions::default() };
                self.network.set_where(conditions, |_, _| true)
            }
            Kind::MinorityCutOff | Kind::Halves => {
                self.network.set_where(Conditions::CUT, |from, to| is_victim(from) != is_victim(to))
            }
            Kind::LeaderUnheard => self.network.set_where(Conditions::CUT, |from, _| is_victim(from)),
            Kind::LeaderDeaf => self.network.set_where(Conditions::CUT, |_, to| is_victim(to)),
            Kind::LeaderKilled | Kind::TwoKilled | Kind::AllKilled => {
                // All are hit before any is waited for.
                victims.iter().try_for_each(|victim| self.operator(*victim).signal(Signal::KILL))?;
                victims.iter().try_for_each(|victim| self.operator(*victim).wait_gone().map(|_| ()))
            }
            Kind::LeaderStopped => victims.iter().try_for_each(|victim| self.operator(*victim).signal(Signal::STOP)),
            Kind::FullDisk => victims.iter().try_for_each(|victim| self.operator(*victim).fill_disk()),
            Kind::SlowDisk | Kind::FailingDisk => {
                let strace = self.tools.strace.clone().context("strace is missing")?;
                let launch = match kind {
                    Kind::SlowDisk => Launch::SlowDisk { strace, delay: SYNC_DELAY },
                    _ => Launch::FailingDisk { strace, from: SYNCS_BEFORE_FAILURE },
                };
                victims.iter().try_for_each(|victim| self.restart(*victim, &launch))
            }
            Kind::ClockForward => victims.iter().try_for_each(|victim| self.operator(*victim).set_clock(CLOCK_STEP_S)),
            Kind::ClockBack => victims.iter().try_for_each(|victim| self.operator(*victim).set_clock(-CLOCK_STEP_S)),
        }
    }

    /// Takes the fault away; what it ended is started again.
    pub(crate) fn heal(&mut self, kind: Kind, victims: &[u8]) -> anyhow::Result<()> {
        if kind.is_of_links() {
            return self.network.heal();
        }
        for victim in victims {
            match kind {
                Kind::LeaderStopped => self.operator(*victim).signal(Signal::CONT)?,
                Kind::FullDisk => {
                    self.operator(*victim).empty_disk()?;
                    self.restart(*victim, &Launch::Plain)?;
                }
                _ => self.restart(*victim, &Launch::Plain)?,
            }
        }
        Ok(())
    }

    /// Every operator still runs.
    pub(crate) fn all_run(&mut self) -> anyhow::Result<()> {
        for operator in &mut self.operators {
            if let Some(status) = operator.ended()? {
                bail!("operator {} ended by itself: {status:?}\n{}", operator.place.index, operator.log_tail(5));
            }
        }
        Ok(())
    }

    /// Asks all of them to end, and waits until they did, in order.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        for operator in &self.operators {
            operator.signal(Signal::TERM)?;
        }
        for operator in &mut self.operators {
            let status = operator.wait_gone()?;
            let index = operator.place.index;
            ensure!(
                status.is_some_and(|status| status.success()),
                "operator {index} ends with {status:?} when asked to"
            );
        }
        Ok(())
    }
}
