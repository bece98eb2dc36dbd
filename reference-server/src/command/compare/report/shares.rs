//! What the CPU time of a request goes to, from differences between contenders: what one does more than another costs what
//! the one costs more.

use super::{Row, Share};

/// What the report says about it.
pub(in super::super) const EXPLANATION: &str = "HTTP is what bare hyper costs; gateway, what the Rust App costs more; \
Python call, WSGI inline over the Rust App; hand-over to a thread, the pool over inline; spawn, the bare spawn loop with \
the C program; CGI, what the C program costs more than the Rust App and the spawn together; interpreter start (and the \
program itself), what sh, Perl and Python cost more than the dynamic C program.";

/// Sets the shares of each adapter's row, as far as the rows that it takes were measured.
pub(in super::super) fn set(rows: &mut [Row]) {
    let costs: Vec<_> =
        rows.iter().map(|row| (row.name.clone(), row.cpu_microseconds.filter(|_| row.is_ranked()))).collect();
    let cost = |name: &str| costs.iter().find(|(of, _)| of == name).and_then(|(_, cost)| *cost);
    for row in rows {
        row.shares = cost(&row.name).map_or_else(Vec::new, |total| shares(&steps(&row.name, cost), total));
    }
}

/// The way from nothing to a contender's cost: after each step, what everything up to there costs.
fn steps(name: &str, cost: impl Fn(&str) -> Option<f64>) -> Vec<(&'static str, Option<f64>)> {
    let http = ("HTTP", cost("hyper"));
    let gateway = ("gateway", cost("rust"));
    let spawned = |program: &str| {
        let both = cost("rust").zip(cost(&format!("spawn-{program}")));
        ("spawn", both.map(|(gateway, spawn)| gateway + spawn))
    };
    match name {
        "hyper" => vec![http],
        "rust" => vec![http, gateway],
        "wsgi-inline" => vec![http, gateway, ("Python call", cost(name))],
        "wsgi-pool" => {
            vec![http, gateway, ("Python call", cost("wsgi-inline")), ("hand-over to a thread", cost(name))]
        }
        "cgi-static" => vec![http, gateway, spawned("static"), ("CGI", cost(name))],
        "cgi-dynamic" => vec![http, gateway, spawned("dynamic"), ("CGI", cost(name))],
        "cgi-sh" | "cgi-perl" | "cgi-python" => {
            let program = ("CGI", cost("cgi-dynamic"));
            vec![http, gateway, spawned("dynamic"), program, ("interpreter start", cost(name))]
        }
        "spawn-static" | "spawn-dynamic" => vec![("spawn", cost(name))],
        _ => Vec::new(),
    }
}

/// The parts between the steps. A step that was not measured becomes one with the next; one that seems to save time, as
/// noise can, is nothing.
fn shares(steps: &[(&'static str, Option<f64>)], total: f64) -> Vec<Share> {
    let (mut shares, mut reached, mut together) = (Vec::new(), 0.0, Vec::new());
    for (name, level) in steps {
        together.push(*name);
        let Some(level) = level else { continue };
        let level = level.clamp(reached, total.max(reached));
        let microseconds = level - reached;
        shares.push(Share { name: together.join(" + "), microseconds, fraction: microseconds / total });
        reached = level;
        together.clear();
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, costs: &[(&str, f64)]) -> Vec<(String, f64)> {
        let cost = |name: &str| costs.iter().find(|(of, _)| *of == name).map(|(_, cost)| *cost);
        let shares = shares(&steps(name, cost), cost(name).unwrap());
        assert!((shares.iter().map(|share| share.fraction).sum::<f64>() - 1.0).abs() < 1e-9);
        shares.into_iter().map(|share| (share.name, share.microseconds)).collect()
    }

    fn named(shares: &[(&str, f64)]) -> Vec<(String, f64)> {
        shares.iter().map(|(name, microseconds)| ((*name).to_owned(), *microseconds)).collect()
    }

    #[test]
    fn each_step_costs_what_it_adds() {
        let costs = [("hyper", 4.0), ("rust", 5.0), ("wsgi-inline", 6.0), ("wsgi-pool", 8.0)];
        let expected = [("HTTP", 4.0), ("gateway", 1.0), ("Python call", 1.0), ("hand-over to a thread", 2.0)];
        assert_eq!(of("wsgi-pool", &costs), named(&expected));
        let costs =
            [("hyper", 4.0), ("rust", 5.0), ("spawn-dynamic", 200.0), ("cgi-dynamic", 300.0), ("cgi-sh", 500.0)];
        let expected = [("HTTP", 4.0), ("gateway", 1.0), ("spawn", 200.0), ("CGI", 95.0), ("interpreter start", 200.0)];
        assert_eq!(of("cgi-sh", &costs), named(&expected));
    }

    #[test]
    fn what_was_not_measured_is_counted_with_the_next() {
        let costs = [("rust", 5.0), ("wsgi-pool", 8.0)];
        let expected = [("HTTP + gateway", 5.0), ("Python call + hand-over to a thread", 3.0)];
        assert_eq!(of("wsgi-pool", &costs), named(&expected));
    }

    #[test]
    fn noise_makes_no_negative_shares() {
        assert_eq!(of("rust", &[("hyper", 6.0), ("rust", 5.0)]), named(&[("HTTP", 5.0), ("gateway", 0.0)]));
    }
}
