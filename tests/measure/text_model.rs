//! Learns the weights of `daemon/src/inspect/text/model` from files whose category is known.
//!
//!     rustc -O --edition 2024 -o /tmp/text_model tests/measure/text_model.rs
//!     /tmp/text_model TRAIN TEST daemon/src/inspect/text/model/weights.bin
//!
//! TRAIN and TEST are tables of category and path, between tabs, one file a line. It prints, for each
//! certainty asked for, how many files of TEST are told rightly, not, and wrongly. The same tables give
//! the same weights.

use std::fs::File;
use std::io::Read;

#[path = "../../daemon/src/inspect/text/model/features.rs"]
mod features;

use features::{FEATURES, features};

const CATEGORIES: [&str; 3] = ["code", "data", "document"];
const EPOCHS: usize = 6;
/// Keeps weights small that few files speak for.
const DECAY: f32 = 2e-6;
/// As in `model/mod.rs`.
const UNIT: f32 = 1.0 / 8.0;

type Sample = (usize, Vec<(u16, f32)>, String);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [train, test, out] = arguments.as_slice() else {
        eprintln!("usage: text_model TRAIN TEST WEIGHTS");
        std::process::exit(2);
    };
    let mut dice = 0x9e37_79b9_7f4a_7c15u64;
    let train = samples(train, true, &mut dice);
    let test = samples(test, false, &mut dice);
    let weights = learn(&train, &mut dice);
    let bytes: Vec<u8> =
        weights.iter().map(|w| (w / UNIT).round().clamp(-127.0, 127.0) as i8 as u8).collect();
    let kept: Vec<f32> = bytes.iter().map(|b| f32::from(*b as i8) * UNIT).collect();
    report("trained on", &train, &kept);
    report("held out", &test, &kept);
    std::fs::write(out, bytes).expect("the weights are written");
}

/// Each file's head; of files to learn from also a beginning of random length, for most texts that need
/// this model are short.
fn samples(table: &str, cut: bool, dice: &mut u64) -> Vec<Sample> {
    let table = std::fs::read_to_string(table).expect("a table");
    let mut samples = Vec::new();
    for line in table.lines() {
        let Some((category, path)) = line.split_once('\t') else { continue };
        let Some(category) = CATEGORIES.iter().position(|c| *c == category) else { continue };
        let mut head = Vec::new();
        let Ok(file) = File::open(path) else { continue };
        if file.take(4096).read_to_end(&mut head).is_err() || head.contains(&0) {
            continue;
        }
        let text = match std::str::from_utf8(&head) {
            Ok(text) => text.to_owned(),
            Err(e) if e.error_len().is_none() => {
                String::from_utf8_lossy(&head[..e.valid_up_to()]).into_owned()
            }
            Err(_) => head.iter().map(|b| char::from(*b)).collect(),
        };
        if text.trim().is_empty() {
            continue;
        }
        samples.push((category, features(&text), path.to_owned()));
        if cut && text.len() > 100 {
            let mut end = 40 + (roll(dice) as usize) % (text.len().min(1500) - 40).max(1);
            end = end.min(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            samples.push((category, features(&text[..end]), path.to_owned()));
        }
    }
    samples
}

/// Logistic regression, by stochastic descent with a step of its own for each weight (Adagrad). Categories
/// count alike, however many files they have.
fn learn(samples: &[Sample], dice: &mut u64) -> Vec<f32> {
    let mut of = [0f32; 3];
    samples.iter().for_each(|(category, ..)| of[*category] += 1.0);
    let share = of.map(|n| samples.len() as f32 / (3.0 * n.max(1.0)));
    let mut weights = vec![0f32; FEATURES * 3];
    let mut steps = vec![1e-3f32; FEATURES * 3];
    let mut order: Vec<usize> = (0..samples.len()).collect();
    for epoch in 0..EPOCHS {
        for i in (1..order.len()).rev() {
            order.swap(i, roll(dice) as usize % (i + 1));
        }
        for &i in &order {
            let (category, found, _) = &samples[i];
            let likely = likelihoods(found, &weights);
            for c in 0..3 {
                let error = (likely[c] - f32::from(u8::from(c == *category))) * share[*category];
                for (feature, amount) in found {
                    let at = usize::from(*feature) * 3 + c;
                    let slope = error * amount + DECAY * weights[at];
                    steps[at] += slope * slope;
                    weights[at] -= 0.5 * slope / steps[at].sqrt();
                }
            }
        }
        eprintln!("epoch {epoch}");
    }
    weights
}

fn likelihoods(found: &[(u16, f32)], weights: &[f32]) -> [f32; 3] {
    let mut scores = [0f32; 3];
    for (feature, amount) in found {
        for (c, score) in scores.iter_mut().enumerate() {
            *score += amount * weights[usize::from(*feature) * 3 + c];
        }
    }
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    let powers = scores.map(|s| (s - most).exp());
    let sum: f32 = powers.iter().sum();
    powers.map(|p| p / sum)
}

fn report(title: &str, samples: &[Sample], weights: &[f32]) {
    println!("{title}: {} texts", samples.len());
    for certainty in [0.0f32, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95] {
        let (mut right, mut wrong) = (0, 0);
        for (category, found, path) in samples {
            let likely = likelihoods(found, weights);
            let best = (0..3).max_by(|a, b| likely[*a].total_cmp(&likely[*b])).unwrap_or(0);
            if likely[best] < certainty {
                continue;
            }
            right += usize::from(best == *category);
            wrong += usize::from(best != *category);
            if best != *category && certainty == 0.9 && std::env::var_os("MISSES").is_some() {
                println!(
                    "  {} {} {:.2}\t{path}",
                    CATEGORIES[*category], CATEGORIES[best], likely[best]
                );
            }
        }
        let of = |n: usize| 100.0 * n as f32 / samples.len().max(1) as f32;
        println!(
            "  {certainty:.2} sure: right {:.2} %, not told {:.2} %, wrong {:.2} %",
            of(right),
            of(samples.len() - right - wrong),
            of(wrong)
        );
    }
}

/// xorshift64*
fn roll(dice: &mut u64) -> u32 {
    *dice ^= *dice >> 12;
    *dice ^= *dice << 25;
    *dice ^= *dice >> 27;
    (dice.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as u32
}
