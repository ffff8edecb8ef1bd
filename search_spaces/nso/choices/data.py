"""Which images a method is trained, tuned and tested on, and what is decayed."""

from __future__ import annotations

from search_spaces.choice import everywhere, on
from search_spaces.nso.protocol import SOURCES
from search_spaces.spec import Choice, Reading

DATA_CHOICES = (
    Choice(
        "split of the training images",
        "the same in every run",
        "code: drawn with one seed; the text is silent. The ± of a mean is then of the training"
        " alone",
        "data.split_seed",
        name="split",
        default="same",
        others={
            "by-seed": Reading("each run draws its own", everywhere(data__split_seed=None)),
        },
        source="data_loader/base_data_loader.py",
        code="same",
    ),
    Choice(
        "images that are not square",
        "stretched to 224 x 224",
        "early code; its later one scales the shorter side alone, and leaves sizes that no batch"
        " can hold",
        name="input",
        default="stretched",
        single="images are prepared once, at one size; no cropped copy of the data sets is made",
        source="data_loader/data_loaders.py",
        code="stretched",
    ),
    Choice(
        "parameters that weight decay acts on",
        "all, BatchNorm and biases too",
        "code: the optimizer's default; the text is silent",
        "optimizer.decay",
        name="decay",
        default="all",
        others={
            "matrices": Reading(
                "tensors of two or more dimensions", everywhere(optimizer__decay="weights")
            )
        },
        source="train_label_noise.py",
        code="all",
    ),
    Choice(
        "seed of the search",
        "its run counts in the final mean: it is seed 0 of the winner",
        "not stated; no configuration is trained twice",
        name="search-seed",
        default="counted",
        source="Appendix C, which says how is searched, and no seeds",
        single="the winner is of one run on held-out images, the mean of five on the test images;"
        " other seeds would be a sixth run of every row, and more of them make the weight of this"
        " one as small as is wanted",
    ),
)
AIRCRAFT = Choice(
    "images that Aircraft is tuned on",
    "its publisher's validation images",
    "Table 3's sizes; an early version of the code had the test images in their place",
    name="aircraft-validation",
    default="official",
    single="choosing on test images is a selection rule of any artifact: --selection best_test",
    source="Table 3; data_loader/data_loaders.py",
    text="official",
    code="official",
)
CALTECH = Choice(
    "images of a class of Caltech-256",
    "the first 30, 20 and 20 by file name",
    "code: the first in the order in which its disk lists them, which is no order; the text gives"
    " the numbers only",
    "data.source",
    name="caltech-images",
    default="by-name",
    single="a drawn choice would be as good, and no nearer to either",
    source="Table 3; data_loader/dataset_caltech.py",
)
CALTECH_SGD = Choice(
    "SGD's accuracy on Caltech-256",
    "80.0 is shown as it is printed, and compared with nothing",
    "it is above every other method there, and the text says that NSO is best everywhere",
    name="caltech-sgd",
    default="apart",
    single="what was meant is not known",
    source="Table 3",
)
RETINA = Choice(
    "Retina",
    "Messidor-2, from the folder retina",
    "code; the text cites RFMiD (Pachade et al. 2021), and the sizes fit neither",
    "data.source",
    name="retina",
    default="messidor-2",
    others={
        "rfmid": Reading(
            "the images and grades in the folder rfmid",
            on("dataset", ["Retina"], data__source={**SOURCES["Retina"], "set": "rfmid"}),
        )
    },
    source="section 2.1; data_loader/dataset_messidor2.py",
    text="rfmid",
    code="messidor-2",
)
