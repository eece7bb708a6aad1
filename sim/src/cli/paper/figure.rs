//! The path-length figure as SVG: our mean with its 1st and 99th percentiles over the number of
//! nodes, and the papers' half of log₂N. It draws what it is given and reads nothing.

use plotters::prelude::*;

use super::super::Failure;

/// A ring of 2^k nodes, as we measured it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) k: u8,
    pub(super) mean: f64,
    pub(super) p1: u64,
    pub(super) p99: u64,
}

const SIZE: (u32, u32) = (760, 480);
const OURS: RGBColor = RGBColor(0x1f, 0x5f, 0xa8);
const PAPER: RGBColor = RGBColor(0xb0, 0x3a, 0x2e);
/// Half the width of the ends of a bar, in units of k.
const CAP: f64 = 0.12;

/// The whole SVG document.
pub(super) fn draw(points: &[Point]) -> Result<String, Failure> {
    let mut svg = String::new();
    paint(points, &mut svg)
        .map_err(|error| Failure::Other(format!("can't draw the figure: {error}")))?;
    Ok(svg)
}

fn paint(points: &[Point], svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let first = points.iter().map(|point| point.k).min().unwrap_or(3);
    let last = points.iter().map(|point| point.k).max().unwrap_or(14);
    let highest = points
        .iter()
        .map(|point| point.p99)
        .max()
        .unwrap_or(0)
        .max(u64::from(last) / 2);
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = (f64::from(first) - 0.5, f64::from(last) + 0.5);
    let mut chart = ChartBuilder::on(&root)
        .caption("Path length: hops to the predecessor", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(48)
        .build_cartesian_2d(left..right, 0.0..highest as f64 + 1.0)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .max_light_lines(1)
        .x_labels(usize::from(last - first) + 2)
        .x_label_formatter(&|k| {
            if k.fract() == 0.0 {
                format!("{k:.0}")
            } else {
                String::new()
            }
        })
        .y_label_formatter(&|hops| format!("{hops:.0}"))
        .x_desc("log₂ of the number of nodes")
        .y_desc("hops")
        .label_style(("sans-serif", 14))
        .draw()?;

    let half = [left, right].map(|k| (k, k / 2.0));
    chart
        .draw_series(LineSeries::new(half, PAPER.stroke_width(2)))?
        .label("½ log₂N (Stoica et al. 2003)")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], PAPER.stroke_width(2)));
    let bars = points.iter().flat_map(|point| {
        let (k, p1, p99) = (f64::from(point.k), point.p1 as f64, point.p99 as f64);
        let line = |from, to| PathElement::new([from, to], OURS.stroke_width(1));
        let cap = |hops| line((k - CAP, hops), (k + CAP, hops));
        [line((k, p1), (k, p99)), cap(p1), cap(p99)]
    });
    chart.draw_series(bars)?;
    let means = points.iter().map(|point| (f64::from(point.k), point.mean));
    chart.draw_series(LineSeries::new(means.clone(), OURS.stroke_width(1)))?;
    chart
        .draw_series(means.map(|mean| Circle::new(mean, 4, OURS.filled())))?
        .label("Cuerda: mean, 1st and 99th percentile")
        .legend(|(x, y)| Circle::new((x + 10, y), 4, OURS.filled()));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 14))
        .draw()?;
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(k: u8, mean: f64) -> Point {
        Point {
            k,
            mean,
            p1: 1,
            p99: u64::from(k),
        }
    }

    #[test]
    fn every_point_has_its_circle_and_three_lines() {
        let svg = draw(&[point(3, 1.5), point(4, 2.0), point(5, 2.5)]).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        // One more of each stands in the legend.
        assert_eq!(svg.matches("<circle").count(), 3 + 1);
        let without = draw(&[point(3, 1.5), point(5, 2.5)]).unwrap();
        let lines = |svg: &str| svg.matches("<polyline").count();
        assert_eq!(lines(&svg) - lines(&without), 3);
        assert!(svg.contains("Stoica"));
    }

    #[test]
    fn the_same_points_give_the_same_figure_and_none_give_an_empty_one() {
        let points = [point(3, 1.5), point(14, 7.0)];
        assert_eq!(draw(&points).unwrap(), draw(&points).unwrap());
        assert_eq!(draw(&[]).unwrap().matches("<circle").count(), 1);
    }
}
