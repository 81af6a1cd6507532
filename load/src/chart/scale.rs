//! From values to pixels, and the ticks between. Pure.

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Linear,
    /// Equal factors are equally far apart.
    Log,
    /// Shares from 0 on, by log10(1 / (1 − share)): 90 %, 99 % and 99.9 % are equally far apart.
    Nines,
}

/// An axis from `from` to `to`, drawn from `start_px` to `end_px`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    kind: Kind,
    from: f64,
    to: f64,
    start_px: f64,
    end_px: f64,
}

impl Scale {
    /// Around all of the values; a linear one begins at 0 unless something lies below.
    pub(super) fn around(kind: Kind, values: impl Iterator<Item = f64>, start_px: f64, end_px: f64) -> Self {
        let usable = values.filter(|value| value.is_finite() && (kind != Kind::Log || *value > 0.0));
        let (low, high) =
            usable.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low > high { (0.1, 1.0) } else { (low, high) };
        let (from, to) = match kind {
            Kind::Linear => {
                let low = low.min(0.0);
                let high = if high > low { high } else { low + 1.0 };
                let step = step(high - low);
                ((low / step).floor() * step, (high / step).ceil() * step)
            }
            Kind::Log => {
                let (from, to) = (rung_at_most(low), rung_at_least(high));
                if from < to { (from, to) } else { (from / 2.0, to * 2.0) }
            }
            Kind::Nines => (0.0, high.clamp(0.9, 1.0 - 1e-9)),
        };
        Self { kind, from, to, start_px, end_px }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let place = |value: f64| match self.kind {
            Kind::Linear => value,
            Kind::Log => value.max(f64::MIN_POSITIVE).log10(),
            Kind::Nines => -(1.0 - value).max(1e-12).log10(),
        };
        let share = (place(value) - place(self.from)) / (place(self.to) - place(self.from));
        self.start_px + share.clamp(0.0, 1.0) * (self.end_px - self.start_px)
    }

    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.kind {
            Kind::Linear => {
                let step = step(self.to - self.from);
                let count = ((self.to - self.from) / step).round() as u32;
                (0..=count).map(|index| self.from + f64::from(index) * step).collect()
            }
            Kind::Log => self.rungs(),
            Kind::Nines => NINES.into_iter().filter(|share| *share <= self.to + 1e-12).collect(),
        }
    }

    /// 1, 2, 5, 10 … over few decades, 1, 10, 100 … over many.
    fn rungs(&self) -> Vec<f64> {
        let (first, last) = (self.from.log10().floor() as i32, self.to.log10().ceil() as i32);
        let steps: &[f64] = if last - first > 3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let all = (first..=last).flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)));
        all.filter(|rung| *rung >= self.from * 0.999 && *rung <= self.to * 1.001).collect()
    }
}

/// Of 1, 2 or 5 times a power of ten, such that four to nine of them fill the width.
fn step(width: f64) -> f64 {
    let rough = width / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let times = rough / power;
    power
        * if times < 1.5 {
            1.0
        } else if times < 3.5 {
            2.0
        } else if times < 7.5 {
            5.0
        } else {
            10.0
        }
}

fn rung_at_most(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|times| times * power).find(|rung| *rung <= value * 1.000_001).unwrap_or(power)
}

fn rung_at_least(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let rungs = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power);
    rungs.into_iter().find(|rung| *rung >= value * 0.999_999).unwrap_or(power * 10.0)
}

const NINES: [f64; 7] = [0.0, 0.5, 0.9, 0.99, 0.999, 0.999_9, 0.999_99];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_begins_at_nothing_and_ends_on_a_tick() {
        let scale = Scale::around(Kind::Linear, [3.0, 47.0].into_iter(), 100.0, 600.0);
        assert_eq!(scale.ticks(), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
        assert_eq!((scale.at(0.0), scale.at(25.0), scale.at(50.0)), (100.0, 350.0, 600.0));
    }

    #[test]
    fn a_logarithmic_axis_has_equal_steps_for_equal_factors() {
        let scale = Scale::around(Kind::Log, [0.5, 7.0, 0.0, f64::NAN].into_iter(), 0.0, 100.0);
        assert_eq!(scale.ticks(), [0.5, 1.0, 2.0, 5.0, 10.0]);
        assert!((scale.at(1.0) - scale.at(0.5) - (scale.at(10.0) - scale.at(5.0))).abs() < 1e-9);
        let decades = Scale::around(Kind::Log, [1.0, 10_000.0].into_iter(), 0.0, 100.0);
        assert_eq!(decades.ticks(), [1.0, 10.0, 100.0, 1_000.0, 10_000.0]);
    }

    #[test]
    fn each_further_nine_is_as_far() {
        let scale = Scale::around(Kind::Nines, [0.5, 0.999].into_iter(), 0.0, 300.0);
        assert_eq!(scale.ticks(), [0.0, 0.5, 0.9, 0.99, 0.999]);
        assert_eq!([0.9, 0.99, 0.999].map(|share| scale.at(share).round()), [100.0, 200.0, 300.0]);
    }

    #[test]
    fn nothing_and_a_single_value_have_an_axis_too() {
        for kind in [Kind::Linear, Kind::Log, Kind::Nines] {
            for values in [&[][..], &[7.0], &[0.0]] {
                let scale = Scale::around(kind, values.iter().copied(), 0.0, 100.0);
                assert!(scale.ticks().len() >= 2 && scale.at(5.0).is_finite(), "{kind:?} {values:?}");
            }
        }
    }
}
