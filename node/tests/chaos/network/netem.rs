//! Links by the kernel: a veth pair between each two operators, with `tc netem` at both ends.

use super::{Conditions, ip_inside, mesh_address, namespace};
use crate::command::{run, run_line};

/// How many packets a direction holds back. The kernel's default of 1,000 is less than a burst of proposals
/// behind 100 ms of delay.
const PACKETS_MAX: u32 = 20_000;

/// Whether this kernel has netem, found out on a device of our own that is removed again.
pub(super) fn is_available() -> bool {
    let made = run_line("ip link add netem-probe type dummy").is_ok();
    let available = run_line("tc qdisc add dev netem-probe root netem delay 1ms").is_ok();
    if made {
        let _ = run_line("ip link delete netem-probe");
    }
    available
}

fn hardware_address(operator: u8, towards: u8) -> String {
    format!("02:77:00:00:{operator:02x}:{towards:02x}")
}

/// Makes perfect links between the operators' namespaces.
pub(super) fn link(operators: u8) -> anyhow::Result<()> {
    for operator in 0..operators {
        ip_inside(operator, &format!("address add {}/32 dev lo", mesh_address(operator).ip()))?;
    }
    for first in 0..operators {
        for second in first + 1..operators {
            let (near, far) = (namespace(first), namespace(second));
            run_line(&format!(
                "ip link add to-{second} netns {near} address {} type veth peer name to-{first} netns {far} address {}",
                hardware_address(first, second),
                hardware_address(second, first)
            ))?;
            attach(first, second)?;
            attach(second, first)?;
        }
    }
    Ok(())
}

/// Brings one end up. The neighbour is fixed: a cut link loses packets, it does not make sends fail.
fn attach(operator: u8, towards: u8) -> anyhow::Result<()> {
    let (device, there) = (format!("to-{towards}"), *mesh_address(towards).ip());
    ip_inside(operator, &format!("link set {device} up"))?;
    let hardware = hardware_address(towards, operator);
    ip_inside(operator, &format!("neighbour replace {there} lladdr {hardware} dev {device} nud permanent"))?;
    let here = *mesh_address(operator).ip();
    ip_inside(operator, &format!("route add {there}/32 dev {device} src {here}"))
}

/// The words of `tc` for these conditions.
fn arguments(conditions: Conditions) -> String {
    let Conditions { cut, delay, jitter, loss, duplicate, rate_kbit } = conditions;
    let mut words = format!("limit {PACKETS_MAX} delay {}us {}us", delay.as_micros(), jitter.as_micros());
    let loss = if cut { 1.0 } else { loss };
    for (word, share) in [("loss", loss), ("duplicate", duplicate)] {
        if share > 0.0 {
            words += &format!(" {word} {:.3}%", share * 100.0);
        }
    }
    if let Some(rate) = rate_kbit {
        words += &format!(" rate {rate}kbit");
    }
    words
}

/// Worsens one direction.
pub(super) fn set(from: u8, to: u8, conditions: Conditions) -> anyhow::Result<()> {
    let (namespace, device) = (namespace(from), format!("to-{to}"));
    let words = arguments(conditions);
    let line = ["-n", &namespace, "qdisc", "replace", "dev", &device, "root", "netem"];
    run("tc", line.into_iter().chain(words.split_whitespace())).map(|_| ())
}
