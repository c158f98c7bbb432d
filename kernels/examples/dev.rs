use gramask_kernels::cpu::{Level, Values, linear_at};
use half::f16;
use std::arch::x86_64::*;
use std::time::Instant;
#[target_feature(enable = "avx512f")]
unsafe fn burn(n: usize) -> f32 {
    let mut a = [_mm512_set1_ps(1.0); 12];
    let (mut b, c) = (_mm512_set1_ps(0.999), _mm512_set1_ps(0.5));
    b = std::hint::black_box(b);
    for _ in 0..n { for v in a.iter_mut() { *v = _mm512_fmadd_ps(*v, b, c); } }
    let mut s = 0.0;
    for v in a { s += _mm512_reduce_add_ps(v); }
    s
}
fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let level = match std::env::var("LEVEL").as_deref() { Ok("2") => Level::Avx2, Ok("0") => Level::Scalar, _ => Level::Avx512 };
    for (n, k) in [(960, 576), (576, 1536), (192, 576)] {
        let w: Vec<f32> = (0..n * k).map(|i| (i * 37 % 1009) as f32 / 1009.0 - 0.5).collect();
        let h: Vec<f16> = w.iter().map(|v| f16::from_f32(*v)).collect();
        for m in &a {
            let m: usize = m.parse().unwrap();
            let x: Vec<f32> = (0..m * k).map(|i| (i * 31 % 1013) as f32 / 1013.0 - 0.5).collect();
            let mut y = vec![0.0; m * n];
            let q8: Vec<u8> = (0..n*k/32*34).map(|i| if i%34<2 {[0x00,0x1c][i%34]} else {(i*37%251) as u8}).collect();
            let q4: Vec<u8> = (0..n*k/32*20).map(|i| if i%20<4 {[0x00,0x1c][i%2]} else {(i*37%251) as u8}).collect();
            let (mut t8, mut t4) = (1e9f64, 1e9f64);
            let (mut b32, mut b16, mut peak) = (1e9f64, 1e9f64, 0f64);
            let begin = Instant::now();
            let mut count = 0;
            while begin.elapsed().as_secs_f64() < 1.0 || count < 20 {
                count += 1;
                let s = Instant::now();
                std::hint::black_box(unsafe { burn(100_000) });
                peak = peak.max(1e5 * 12.0 * 32.0 / s.elapsed().as_secs_f64() / 1e9);
                let s = Instant::now();
                linear_at(level, &x, Values::F32(&w), [m, n, k], &mut y).unwrap();
                b32 = b32.min(s.elapsed().as_secs_f64());
                let s = Instant::now();
                linear_at(level, &x, Values::F16(&h), [m, n, k], &mut y).unwrap();
                b16 = b16.min(s.elapsed().as_secs_f64());
                let s = Instant::now();
                linear_at(level, &x, Values::Q8_0(&q8), [m, n, k], &mut y).unwrap();
                t8 = t8.min(s.elapsed().as_secs_f64());
                let s = Instant::now();
                linear_at(level, &x, Values::Q4_1(&q4), [m, n, k], &mut y).unwrap();
                t4 = t4.min(s.elapsed().as_secs_f64());
            }
            let g = (2 * m * n * k) as f64 / 1e9;
            println!("[{m}, {n}, {k}]: peak {peak:.0}, f32 {:.0} ({:.0} %), f16 {:.0} ({:.0} %)  {:.1} us f16; q8 {:.0} {:.1} us {:.1} GB/s; q4 {:.0} {:.1} us {:.1} GB/s", g / b32, g / b32 / peak * 100.0, g / b16, g / b16 / peak * 100.0, b16*1e6, g/t8, t8*1e6, q8.len() as f64/t8/1e9, g/t4, t4*1e6, q4.len() as f64/t4/1e9);
        }
    }
}
