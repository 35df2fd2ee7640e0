"""Sixteen real devices, from a data centre's GPU to a microcontroller.

Every figure has its source in ``Device.sources``. Makers publish peaks, bandwidths and powers.
What they leave open, above all the overhead of one operation and the share of the peak that
software reaches, is derived from measurements of others or estimated, and says so. So a latency
from here is right to within a small factor; what is meant to hold is the order of networks on one
device, and the distance between devices.

Peaks count multiply-adds, half of the operations that data sheets count.
"""

from __future__ import annotations

from nas_lab.devices.device import Device

GIB, MIB, KIB = 2**30, 2**20, 2**10

# ---- what several devices have in common -----------------------------------------------------

EAGER_GPU = (
    "estimate: a PyTorch operator keeps the host busy for about 10 us, longer than these kernels "
    "run; Kwon et al., Nimble, 2020, arXiv:2012.02732, figure 2, show GPUs idle for most of it"
)
GRAPH_GPU = (
    "a kernel launched in a row took 3.8 us on a V100, 2.9 of them its own work, and 3.4 in a "
    "graph: A. Gray, Getting Started with CUDA Graphs, 2019, "
    "https://developer.nvidia.com/blog/cuda-graphs/; estimate: the same here, with its work"
)
EAGER_CPU = (
    "estimate: a call of a PyTorch operator, after 3.4 us measured for a ReLU of 16 x 6 x 6 "
    "numbers with PyTorch 2.14 on one core of an AMD EPYC, 2026"
)
CALLS_CPU = (
    "measured: as the overhead, of one operator on 16 x 6 x 6 numbers; a normalisation took "
    "10.3 us, a 1x1 convolution 8.6, an average 8.0, a depthwise convolution 53.7, a sum 2.1"
)
PYTORCH_CALLS = (
    *(("norm", 3.0), ("conv", 2.5), ("depthwise", 15.0)),
    *(("avg_pool", 1.5), ("max_pool", 1.5), ("add", 0.7), ("zeros", 0.6)),
)
HALF = "estimate: half of the peak, as good libraries reach on convolutions of this size"
THIRD = "estimate: a third of the peak, as libraries reach on small convolutions"
AS_PEAK = "derived: the same units as for convolutions, one simple operation in place of two"
SLOW_CPU = (
    "measured: PyTorch pools images in the usual order of axes without vector instructions, an "
    "average of nine in about 8 ns, as the calls; estimate: a depthwise convolution loads a number "
    "for each multiply-add"
)
DEPTHWISE = "estimate: a depthwise convolution loads a number for each multiply-add"
FLOAT32, FLOAT16, INT8 = "float32", "float16, which the device prefers", "int8 only or preferred"
IDLE = "estimate: makers do not publish it"
CACHE_CPU = "estimate: 32 bytes a cycle and core out of the second-level cache"

VOLTA = (
    "Jia et al., Dissecting the NVIDIA Volta GPU Architecture via Microbenchmarking, 2018, "
    "arXiv:1804.06826"
)
TURING = (
    "Jia et al., Dissecting the NVidia Turing T4 GPU via Microbenchmarking, 2019, arXiv:1903.07486"
)


def _sources(**figures: str) -> tuple[tuple[str, str], ...]:
    return tuple(figures.items())


# ---- server ----------------------------------------------------------------------------------

_V100 = "NVIDIA, V100 data sheet, 2020, https://www.nvidia.com/en-us/data-center/v100/"
V100 = Device(
    name="v100",
    title="Tesla V100",
    kind="server GPU",
    peak=7.85e12,
    efficiency=0.5,
    vector=7.85e12,
    bandwidth=900e9,
    on_chip=6 * MIB,
    on_chip_bandwidth=2155e9,
    overhead=10e-6,
    element=4,
    power=300,
    idle=40,
    memory=16 * GIB,
    compiled=False,
    width=20_480,
    sources=_sources(
        peak=f"derived: 15.7 float32 teraflops / 2; {_V100}",
        efficiency=HALF,
        vector=AS_PEAK,
        bandwidth=_V100,
        on_chip=f"second-level cache; {VOLTA}",
        on_chip_bandwidth=f"measured, second-level cache; {VOLTA}",
        overhead=EAGER_GPU,
        element=FLOAT32,
        power=f"SXM2 module; {_V100}",
        idle=IDLE,
        memory=_V100,
        width=f"derived: 5,120 lanes x 4 cycles until a multiply-add is done; {VOLTA}",
    ),
)

_T4 = "NVIDIA, T4 data sheet, 2019, https://www.nvidia.com/en-us/data-center/tesla-t4/"
T4 = Device(
    name="t4",
    title="Tesla T4",
    kind="server GPU",
    peak=32.5e12,
    efficiency=0.3,
    vector=8.1e12,
    bandwidth=300e9,
    on_chip=4 * MIB,
    on_chip_bandwidth=1270e9,
    overhead=3.8e-6,
    element=2,
    power=70,
    idle=10,
    memory=16 * GIB,
    compiled=True,
    lanes=(8, 8),
    width=10_240,
    sources=_sources(
        peak=f"derived: 65 float16 teraflops of the tensor cores / 2; {_T4}",
        efficiency=THIRD,
        vector=f"derived: float16 pairs, at twice the 8.1 float32 teraflops / 2; {_T4}",
        bandwidth=_T4,
        on_chip=f"second-level cache; {TURING}",
        on_chip_bandwidth=f"measured, second-level cache; {TURING}",
        overhead=GRAPH_GPU,
        element=FLOAT16,
        power=_T4,
        idle=IDLE,
        memory=_T4,
        lanes=(
            "tensor cores take multiples of 8 float16 channels; NVIDIA, Deep Learning Performance: "
            "Convolutional Layers User's Guide, 2023, "
            "https://docs.nvidia.com/deeplearning/performance/dl-performance-convolutional/"
        ),
        width=f"derived: 2,560 lanes x 4 cycles until a multiply-add is done; {TURING}",
    ),
)

_XEON = (
    "Intel, Xeon Platinum 8280, 2019, https://ark.intel.com/content/www/us/en/ark/products/192478/"
)
XEON = Device(
    name="xeon_8280",
    title="Xeon Platinum 8280, 28 cores",
    kind="server CPU",
    peak=2.42e12,
    efficiency=0.33,
    vector=2.42e12,
    bandwidth=140.8e9,
    on_chip=66.5 * MIB,
    on_chip_bandwidth=2.42e12,
    overhead=5e-6,
    element=4,
    power=205,
    idle=60,
    memory=1024 * GIB,
    compiled=False,
    lanes=(1, 16),
    slow=(("avg_pool", 1 / 64), ("max_pool", 1 / 128), ("depthwise", 0.25)),
    calls=PYTORCH_CALLS,
    sources=_sources(
        peak=f"derived: 28 cores x 2.7 GHz x 2 multiply-adds of 16 float32 a cycle; {_XEON}",
        efficiency=THIRD,
        vector=AS_PEAK,
        bandwidth=f"derived: 6 channels of DDR4-2933 x 8 bytes; {_XEON}",
        on_chip=f"derived: 38.5 MiB shared and 28 x 1 MiB second-level cache; {_XEON}",
        on_chip_bandwidth=CACHE_CPU,
        overhead="estimate: a PyTorch operator's call and the waking of 28 threads",
        element=FLOAT32,
        power=f"thermal design power; {_XEON}",
        idle=IDLE,
        memory=_XEON,
        lanes=f"16 float32 in a 512-bit register; {_XEON}",
        slow=SLOW_CPU,
        calls=CALLS_CPU,
    ),
)

# ---- desk ------------------------------------------------------------------------------------

_GTX = (
    "NVIDIA, GeForce GTX 1080 Ti, 2017, "
    "https://www.nvidia.com/en-us/geforce/products/10series/geforce-gtx-1080-ti/"
)
GTX_1080_TI = Device(
    name="gtx_1080_ti",
    title="GeForce GTX 1080 Ti",
    kind="desktop GPU",
    peak=5.67e12,
    efficiency=0.5,
    vector=5.67e12,
    bandwidth=484e9,
    on_chip=2.75 * MIB,
    on_chip_bandwidth=1500e9,
    overhead=10e-6,
    element=4,
    power=250,
    idle=10,
    memory=11 * GIB,
    compiled=False,
    width=21_504,
    sources=_sources(
        peak=f"derived: 3,584 lanes x 1,582 MHz; {_GTX}",
        efficiency=HALF,
        vector=AS_PEAK,
        bandwidth=_GTX,
        on_chip="second-level cache; NVIDIA, Pascal tuning guide, 2016, "
        "https://docs.nvidia.com/cuda/pascal-tuning-guide/",
        on_chip_bandwidth=f"estimate: as of the Pascal P100 in {VOLTA}",
        overhead=EAGER_GPU,
        element=FLOAT32,
        power=_GTX,
        idle=IDLE,
        memory=_GTX,
        width=f"derived: 3,584 lanes x 6 cycles until a multiply-add is done, as of Pascal in "
        f"{VOLTA}",
    ),
)

_DESKTOP = (
    "Intel, Core i7-7820X, 2017, https://ark.intel.com/content/www/us/en/ark/products/123767/"
)
DESKTOP = Device(
    name="core_i7_7820x",
    title="Core i7-7820X, 8 cores",
    kind="desktop CPU",
    peak=922e9,
    efficiency=0.33,
    vector=922e9,
    bandwidth=85.3e9,
    on_chip=19 * MIB,
    on_chip_bandwidth=922e9,
    overhead=4e-6,
    element=4,
    power=140,
    idle=40,
    memory=128 * GIB,
    compiled=False,
    lanes=(1, 16),
    slow=(("avg_pool", 1 / 64), ("max_pool", 1 / 128), ("depthwise", 0.25)),
    calls=PYTORCH_CALLS,
    sources=_sources(
        peak=f"derived: 8 cores x 3.6 GHz x 2 multiply-adds of 16 float32 a cycle; {_DESKTOP}",
        efficiency=THIRD,
        vector=AS_PEAK,
        bandwidth=f"derived: 4 channels of DDR4-2666 x 8 bytes; {_DESKTOP}",
        on_chip=f"derived: 11 MiB shared and 8 x 1 MiB second-level cache; {_DESKTOP}",
        on_chip_bandwidth=CACHE_CPU,
        overhead=EAGER_CPU,
        element=FLOAT32,
        power=f"thermal design power; {_DESKTOP}",
        idle=IDLE,
        memory=_DESKTOP,
        lanes=f"16 float32 in a 512-bit register; {_DESKTOP}",
        slow=SLOW_CPU,
        calls=CALLS_CPU,
    ),
)

_LAPTOP = (
    "Intel, Core i7-1165G7, 2020, https://ark.intel.com/content/www/us/en/ark/products/208921/"
)
LAPTOP = Device(
    name="laptop",
    title="Laptop, one core of a Core i7-1165G7",
    kind="laptop CPU",
    peak=75.2e9,
    efficiency=0.5,
    vector=75.2e9,
    bandwidth=20e9,
    on_chip=12 * MIB,
    on_chip_bandwidth=150e9,
    overhead=3e-6,
    element=4,
    power=28,
    idle=5,
    memory=16 * GIB,
    compiled=False,
    lanes=(1, 16),
    slow=(("avg_pool", 1 / 64), ("max_pool", 1 / 128), ("depthwise", 0.25)),
    calls=PYTORCH_CALLS,
    sources=_sources(
        peak=f"derived: 1 core x 4.7 GHz x 1 multiply-add of 16 float32 a cycle; {_LAPTOP}",
        efficiency=HALF,
        vector=AS_PEAK,
        bandwidth=f"estimate: what one core draws of 68 GB/s, two channels of LPDDR4x-4267; "
        f"{_LAPTOP}",
        on_chip=f"third-level cache; {_LAPTOP}",
        on_chip_bandwidth=CACHE_CPU,
        overhead=EAGER_CPU,
        element=FLOAT32,
        power=f"configurable thermal design power, whole chip; {_LAPTOP}",
        idle=IDLE,
        memory="a usual size",
        lanes=f"16 float32 in a 512-bit register; {_LAPTOP}",
        slow=SLOW_CPU,
        calls=CALLS_CPU,
    ),
)

# ---- phone -----------------------------------------------------------------------------------

_SD855 = (
    "Qualcomm, Snapdragon 855 product brief, 2018, "
    "https://www.qualcomm.com/products/mobile/snapdragon/smartphones/snapdragon-8-series-mobile-platforms/snapdragon-855-mobile-platform"
)
_LPDDR = f"derived: four 16-bit channels of LPDDR4X-4266, 34.1 GB/s; {_SD855}"
PHONE_CPU = Device(
    name="snapdragon_855_cpu",
    title="Snapdragon 855 CPU, one Cortex-A76",
    kind="phone CPU",
    peak=22.7e9,
    efficiency=0.5,
    vector=22.7e9,
    bandwidth=15e9,
    on_chip=2 * MIB,
    on_chip_bandwidth=45e9,
    overhead=2e-6,
    element=4,
    power=2,
    idle=0.3,
    memory=6 * GIB,
    compiled=True,
    lanes=(1, 4),
    slow=(("depthwise", 0.33),),
    sources=_sources(
        peak="derived: 2.84 GHz x 2 multiply-adds of 4 float32 a cycle; Arm, Cortex-A76 Software "
        f"Optimization Guide, 2019, https://developer.arm.com/documentation/swog307215; {_SD855}",
        efficiency=HALF,
        vector=AS_PEAK,
        bandwidth=f"estimate: what one core draws; {_LPDDR}",
        on_chip="third-level cache; A. Frumusanu, The Snapdragon 855 Performance & Battery Life "
        "Preview, AnandTech, 2019, https://www.anandtech.com/show/13786",
        on_chip_bandwidth="estimate: 16 bytes a cycle out of the second-level cache",
        overhead="estimate: TFLite's interpreter between two operations",
        element=FLOAT32,
        power="estimate: one large core at full speed; A. Frumusanu, AnandTech, 2019, "
        "https://www.anandtech.com/show/13786, measures about this",
        idle=IDLE,
        memory="a usual size",
        lanes="4 float32 in a 128-bit register; Arm, Cortex-A76 Software Optimization Guide, 2019",
        slow=DEPTHWISE,
    ),
)
PHONE_GPU = Device(
    name="adreno_640",
    title="Snapdragon 855 GPU, Adreno 640",
    kind="phone GPU",
    peak=0.9e12,
    efficiency=0.2,
    vector=0.9e12,
    bandwidth=34.1e9,
    on_chip=1 * MIB,
    on_chip_bandwidth=75e9,
    overhead=15e-6,
    element=2,
    power=4,
    idle=0.5,
    memory=6 * GIB,
    compiled=True,
    lanes=(4, 4),
    width=3_072,
    sources=_sources(
        peak="derived: 384 units x 2 float16 lanes x 2 a cycle x 585 MHz, the 1.8 float16 "
        "teraflops that are reported; TechPowerUp, Adreno 640, 2019, "
        "https://www.techpowerup.com/gpu-specs/adreno-640.c3612",
        efficiency="estimate: a fifth, for drivers of phones leave much; Lee et al., On-Device "
        "Neural Net Inference with Mobile GPUs, 2019, arXiv:1907.01989",
        vector=AS_PEAK,
        bandwidth=_LPDDR,
        on_chip="estimate: memory for tiles and second-level cache together",
        on_chip_bandwidth="estimate: 128 bytes a cycle at 585 MHz",
        overhead="estimate: an OpenCL kernel in a queue that is already filled",
        element=FLOAT16,
        power="estimate: sustained, the GPU alone; A. Frumusanu, AnandTech, 2019, "
        "https://www.anandtech.com/show/13786, measures about this",
        idle=IDLE,
        memory="a usual size",
        lanes="TFLite keeps channels in slices of 4; Lee et al., 2019, arXiv:1907.01989",
        width="estimate: 768 lanes x 4 cycles until a multiply-add is done",
    ),
)
PHONE_DSP = Device(
    name="hexagon_690",
    title="Snapdragon 855 DSP, Hexagon 690",
    kind="phone DSP",
    peak=0.61e12,
    efficiency=0.33,
    vector=0.61e12,
    bandwidth=34.1e9,
    on_chip=1 * MIB,
    on_chip_bandwidth=300e9,
    overhead=10e-6,
    element=1,
    power=1,
    idle=0.1,
    memory=6 * GIB,
    compiled=True,
    lanes=(4, 32),
    sources=_sources(
        peak=f"derived: 4 vector units of 1024 bits x 128 int8 x about 1.2 GHz; {_SD855}. The "
        "maker's 7 TOPS count the CPU, the GPU and the tensor accelerator too",
        efficiency=THIRD,
        vector=AS_PEAK,
        bandwidth=_LPDDR,
        on_chip="estimate: second-level cache",
        on_chip_bandwidth="derived: 2 vectors of 128 bytes a cycle at about 1.2 GHz; Qualcomm, "
        "Hexagon V66 HVX Programmer's Reference Manual, 2018, https://developer.qualcomm.com",
        overhead="estimate: synchronising the hardware threads between operations",
        element=INT8,
        power="estimate: Qualcomm says a fraction of the CPU's",
        idle=IDLE,
        memory="a usual size",
        lanes="sums of 4 products in each of 32 words of a vector; Qualcomm, Hexagon V66 HVX "
        "Programmer's Reference Manual, 2018, https://developer.qualcomm.com",
    ),
)

# ---- boards ----------------------------------------------------------------------------------

_PI = (
    "Raspberry Pi Foundation, Raspberry Pi 4 Model B product brief, 2019, "
    "https://datasheets.raspberrypi.com/rpi4/raspberry-pi-4-product-brief.pdf"
)
_MAGPI = (
    "MagPi, Raspberry Pi 4 specs and benchmarks, 2019, "
    "https://magpi.raspberrypi.com/articles/raspberry-pi-4-specs-benchmarks"
)
RASPBERRY_PI_4 = Device(
    name="raspberry_pi_4",
    title="Raspberry Pi 4, four Cortex-A72",
    kind="board CPU",
    peak=24e9,
    efficiency=0.4,
    vector=24e9,
    bandwidth=5.5e9,
    on_chip=1 * MIB,
    on_chip_bandwidth=24e9,
    overhead=5e-6,
    element=4,
    power=7.6,
    idle=3.4,
    memory=4 * GIB,
    compiled=True,
    lanes=(1, 4),
    slow=(("depthwise", 0.33),),
    sources=_sources(
        peak="derived: 4 cores x 1.5 GHz x 1 multiply-add of 4 float32 a cycle; Arm, Cortex-A72 "
        f"Software Optimization Guide, 2015, https://developer.arm.com/documentation/uan0016; "
        f"{_PI}",
        efficiency="estimate: 0.4, four threads on small convolutions",
        vector=AS_PEAK,
        bandwidth="measured: STREAM copy; http://www.sci-pi.org.uk/bench/stream.html, 2020",
        on_chip="second-level cache; Broadcom BCM2711, 2019, "
        "https://www.raspberrypi.com/documentation/computers/processors.html",
        on_chip_bandwidth="estimate: 16 bytes a cycle out of the second-level cache",
        overhead="estimate: TFLite's interpreter and the meeting of four threads",
        element=FLOAT32,
        power=f"whole board under load; {_MAGPI}",
        idle=f"whole board; {_MAGPI}",
        memory=_PI,
        lanes="4 float32 in a 128-bit register; Arm, Cortex-A72 Software Optimization Guide, 2015",
        slow=DEPTHWISE,
    ),
)

_NANO = (
    "NVIDIA, Jetson Nano module data sheet, 2019, https://developer.nvidia.com/embedded/jetson-nano"
)
JETSON_NANO = Device(
    name="jetson_nano",
    title="Jetson Nano",
    kind="board GPU",
    peak=236e9,
    efficiency=0.33,
    vector=236e9,
    bandwidth=25.6e9,
    on_chip=256 * KIB,
    on_chip_bandwidth=60e9,
    overhead=10e-6,
    element=2,
    power=10,
    idle=1.5,
    memory=4 * GIB,
    compiled=True,
    width=768,
    sources=_sources(
        peak=f"derived: 472 float16 gigaflops / 2; {_NANO}",
        efficiency=THIRD,
        vector=AS_PEAK,
        bandwidth=_NANO,
        on_chip="second-level cache; NVIDIA, Tegra X1 whitepaper, 2015, "
        "https://international.download.nvidia.com/pdf/tegra/Tegra-X1-whitepaper-v1.0.pdf",
        on_chip_bandwidth="estimate: 64 bytes a cycle at 921 MHz",
        overhead="estimate: about three times that of a desk's computer, for the board's CPU is "
        f"slower; {GRAPH_GPU}",
        element=FLOAT16,
        power=f"the larger of its two modes; {_NANO}",
        idle=IDLE,
        memory=_NANO,
        width="derived: 128 lanes x 6 cycles until a multiply-add is done, as of Maxwell in "
        f"{VOLTA}",
    ),
)

_TX2 = (
    "NVIDIA, Jetson TX2 module data sheet, 2017, https://developer.nvidia.com/embedded/jetson-tx2"
)
JETSON_TX2 = Device(
    name="jetson_tx2",
    title="Jetson TX2",
    kind="board GPU",
    peak=665e9,
    efficiency=0.33,
    vector=665e9,
    bandwidth=59.7e9,
    on_chip=512 * KIB,
    on_chip_bandwidth=83e9,
    overhead=10e-6,
    element=2,
    power=15,
    idle=2,
    memory=8 * GIB,
    compiled=True,
    width=1_536,
    sources=_sources(
        peak=f"derived: 1.33 float16 teraflops / 2; {_TX2}",
        efficiency=THIRD,
        vector=AS_PEAK,
        bandwidth=_TX2,
        on_chip="estimate: second-level cache of the GPU",
        on_chip_bandwidth="estimate: 64 bytes a cycle at 1.3 GHz",
        overhead="estimate: about three times that of a desk's computer, for the board's CPU is "
        f"slower; {GRAPH_GPU}",
        element=FLOAT16,
        power=f"the larger of its two modes; {_TX2}",
        idle=IDLE,
        memory=_TX2,
        width=f"derived: 256 lanes x 6 cycles until a multiply-add is done, as of Pascal in "
        f"{VOLTA}",
    ),
)

# ---- accelerators and microcontrollers -------------------------------------------------------

_CORAL = "Coral, Edge TPU frequently asked questions, 2020, https://coral.ai/docs/edgetpu/faq"
_ARRAY = (
    "Seshadri et al., An Evaluation of Edge TPU Accelerators for Convolutional Neural Networks, "
    "2022, arXiv:2102.10423"
)
EDGE_TPU = Device(
    name="edge_tpu",
    title="Edge TPU",
    kind="accelerator",
    peak=2e12,
    efficiency=0.9,
    vector=31e9,
    bandwidth=0.5e9,
    on_chip=8 * MIB,
    on_chip_bandwidth=31e9,
    overhead=2e-6,
    element=1,
    power=2,
    idle=0.5,
    memory=1 * GIB,
    compiled=True,
    lanes=(64, 64),
    sources=_sources(
        peak=f"derived: 4 TOPS / 2; {_CORAL}",
        efficiency="estimate: an array whose schedule is fixed loses little but idle lanes",
        vector="estimate: 64 lanes at 480 MHz; the maker publishes no unit for simple operations",
        bandwidth="derived: one lane of PCIe 2.0; Coral, Accelerator module data sheet, 2020, "
        "https://coral.ai/docs/module/datasheet",
        on_chip="Coral, Edge TPU compiler, 2020, https://coral.ai/docs/edgetpu/compiler",
        on_chip_bandwidth="estimate: 64 bytes a cycle at 480 MHz, one for each row of the array",
        overhead="estimate: a compiled schedule without a host between operations",
        element=INT8,
        power=f"2 TOPS a watt; {_CORAL}",
        idle=IDLE,
        memory="Coral, Dev Board data sheet, 2020, https://coral.ai/docs/dev-board/datasheet",
        lanes="derived: 4 TOPS at 480 MHz are 64 x 64 multiply-adds a cycle; the makers describe "
        f"the class and not this chip in {_ARRAY}",
    ),
)

_EYERISS = (
    "Chen et al., Eyeriss: An Energy-Efficient Reconfigurable Accelerator for Deep Convolutional "
    "Neural Networks, 2017, doi:10.1109/JSSC.2016.2616357"
)
EYERISS = Device(
    name="eyeriss",
    title="Eyeriss",
    kind="accelerator",
    peak=33.6e9,
    efficiency=0.7,
    vector=2.4e9,
    bandwidth=1e9,
    on_chip=108 * KIB,
    on_chip_bandwidth=4.8e9,
    overhead=1e-6,
    element=2,
    power=0.278,
    idle=0.05,
    memory=1 * GIB,
    compiled=True,
    sources=_sources(
        peak=f"derived: 168 processing elements at 200 MHz; {_EYERISS}",
        efficiency=f"estimate: the shape of the array leaves some elements idle; {_EYERISS}",
        vector="estimate: 12 lanes at 200 MHz; the chip itself only convolves and applies ReLUs",
        bandwidth="estimate: DRAM behind the chip's 64-bit link",
        on_chip=f"global buffer; {_EYERISS}",
        on_chip_bandwidth="estimate: 12 numbers of 2 bytes a cycle at 200 MHz",
        overhead="estimate: reconfiguring the array takes well below a millisecond a layer",
        element=f"16-bit fixed point; {_EYERISS}",
        power=f"measured, AlexNet at 1 V, chip alone; {_EYERISS}",
        idle=IDLE,
        memory="estimate: DRAM of the board",
    ),
)

_CMSIS = (
    "Lai et al., CMSIS-NN: Efficient Neural Network Kernels for Arm Cortex-M CPUs, 2018, "
    "arXiv:1801.06601"
)
_M7 = "Arm, Cortex-M7 data sheet, 2020, https://developer.arm.com/Processors/Cortex-M7"
_F7 = (
    "STMicroelectronics, STM32F746 data sheet DS10916, 2016, "
    "https://www.st.com/resource/en/datasheet/stm32f746zg.pdf"
)
_H7 = (
    "STMicroelectronics, STM32H743 data sheet DS12110, 2019, "
    "https://www.st.com/resource/en/datasheet/stm32h743zi.pdf"
)
_MICRO = {
    "efficiency": "derived: 24.7 million operations in 99.1 ms at 216 MHz, of 2 multiply-adds a "
    f"cycle; {_CMSIS}",
    "vector": "estimate: one simple operation a cycle, with its load and its store",
    "overhead": "estimate: a call of a few thousand cycles",
    "element": "int8",
    "idle": "estimate: the core does not sleep between operations",
    "lanes": f"two 16-bit products an instruction, summed; {_CMSIS}",
}
STM32F746 = Device(
    name="stm32f746",
    title="STM32F746, Cortex-M7 at 216 MHz",
    kind="microcontroller",
    peak=432e6,
    efficiency=0.29,
    vector=216e6,
    bandwidth=0.2e9,
    on_chip=320 * KIB,
    on_chip_bandwidth=0.86e9,
    overhead=10e-6,
    element=1,
    power=0.36,
    idle=0.36,
    memory=1.3125 * MIB,
    compiled=True,
    lanes=(2, 1),
    sources=_sources(
        **_MICRO,
        peak=f"derived: 216 MHz x 2 multiply-adds; {_M7}",
        bandwidth="estimate: flash memory with wait states, where something does not fit",
        on_chip=f"static RAM; {_F7}",
        on_chip_bandwidth="derived: one word of 4 bytes a cycle",
        power=f"estimate: about 110 mA at 3.3 V, all in flash and RAM at full speed; {_F7}",
        memory=f"derived: 1 MiB of flash for weights and 320 KiB of RAM; {_F7}",
    ),
)
STM32H743 = Device(
    name="stm32h743",
    title="STM32H743, Cortex-M7 at 480 MHz",
    kind="microcontroller",
    peak=960e6,
    efficiency=0.29,
    vector=480e6,
    bandwidth=0.4e9,
    on_chip=1 * MIB,
    on_chip_bandwidth=1.92e9,
    overhead=5e-6,
    element=1,
    power=0.5,
    idle=0.5,
    memory=3 * MIB,
    compiled=True,
    lanes=(2, 1),
    sources=_sources(
        **_MICRO,
        peak=f"derived: 480 MHz x 2 multiply-adds; {_M7}",
        bandwidth="estimate: flash memory with wait states, where something does not fit",
        on_chip=f"static RAM; {_H7}",
        on_chip_bandwidth="derived: one word of 4 bytes a cycle",
        power=f"estimate: about 150 mA at 3.3 V, all in flash and RAM at full speed; {_H7}",
        memory=f"derived: 2 MiB of flash for weights and 1 MiB of RAM; {_H7}",
    ),
)

DEVICES: dict[str, Device] = {
    device.name: device
    for device in (
        *(V100, T4, XEON, GTX_1080_TI, DESKTOP, LAPTOP),
        *(PHONE_CPU, PHONE_GPU, PHONE_DSP),
        *(JETSON_TX2, JETSON_NANO, RASPBERRY_PI_4),
        *(EDGE_TPU, EYERISS, STM32F746, STM32H743),
    )
}
"""The devices by name, from server to microcontroller."""
