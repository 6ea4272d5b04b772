//! Contenders that are timed in turns, so that whatever else the machine does hits all of them.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long one contender runs in one round.
const TURN: Duration = Duration::from_millis(20);
const ROUNDS: usize = 25;

/// Contenders for the same task.
#[derive(Default)]
pub struct Contest<'a> {
    contenders: Vec<Contender<'a>>,
}

struct Contender<'a> {
    name: String,
    run: Box<dyn FnMut() + 'a>,
    /// Nanoseconds of one run, by round.
    rounds: Vec<f64>,
}

/// What became of a contender.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// Nanoseconds of one run: the median of all rounds.
    pub nanos: f64,
    /// How many times as long as the first contender, round by round: the median.
    pub ratio: f64,
}

impl<'a> Contest<'a> {
    /// Nobody yet. The first to be added is the one that the others are compared with.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a contender.
    #[must_use]
    pub fn with<T>(mut self, name: impl Into<String>, mut run: impl FnMut() -> T + 'a) -> Self {
        let run = Box::new(move || drop(black_box(run())));
        self.contenders.push(Contender { name: name.into(), run, rounds: Vec::new() });
        self
    }

    /// Times all of them.
    pub fn figures(mut self) -> Vec<Figure> {
        let counts: Vec<u32> = self.contenders.iter_mut().map(|one| count(&mut one.run)).collect();
        for _ in 0..ROUNDS {
            for (contender, count) in self.contenders.iter_mut().zip(&counts) {
                let start = Instant::now();
                for _ in 0..*count {
                    (contender.run)();
                }
                contender.rounds.push(start.elapsed().as_nanos() as f64 / f64::from(*count));
            }
        }
        let first = self.contenders.first().map(|contender| contender.rounds.clone()).unwrap_or_default();
        let figure = |contender: Contender<'_>| Figure {
            name: contender.name,
            ratio: median(contender.rounds.iter().zip(&first).map(|(own, first)| own / first).collect()),
            nanos: median(contender.rounds),
        };
        self.contenders.into_iter().map(figure).collect()
    }

    /// Times all of them and prints a line for each.
    pub fn print(self, task: &str) -> Vec<Figure> {
        let figures = self.figures();
        for Figure { name, nanos, ratio } in &figures {
            println!("{task:<28} {name:<34} {nanos:>12.0} ns {ratio:>9.2} ×");
        }
        figures
    }
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Whether figures are wanted: `cargo test --benches` only wants to see that a benchmark starts.
pub fn asked_to_measure() -> bool {
    !std::env::args().any(|argument| argument == "--test")
}

/// How many runs fill a turn.
fn count(run: &mut impl FnMut()) -> u32 {
    let mut count = 1;
    loop {
        let start = Instant::now();
        for _ in 0..count {
            run();
        }
        let took = start.elapsed();
        if took >= TURN / 2 || count >= u32::MAX / 4 {
            let fitting = f64::from(count) * TURN.as_secs_f64() / took.as_secs_f64().max(1e-9);
            return (fitting as u32).max(1);
        }
        count *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_contender_is_the_measure() {
        let wait = |millis| move || std::thread::sleep(Duration::from_millis(millis));
        let figures = Contest::new().with("short", wait(1)).with("long", wait(4)).figures();
        let [short, long] = figures.as_slice() else { panic!("{figures:?}") };
        assert!((short.ratio - 1.0).abs() < f64::EPSILON, "{short:?}");
        assert!(long.ratio > 1.0 && long.nanos > short.nanos, "{figures:?}");
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert!(median(Vec::new()).is_nan());
    }
}
