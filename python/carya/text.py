"""Vectors of texts."""

import os

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from . import _carya, _pickling  # noqa: F401: LSA pickles through it
from ._progress import reporting
from ._validation import check_texts, seed_of, whole

__all__ = ["LSA", "SentenceEncoder"]


class _TextTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What takes texts says so in its tags, as scikit-learn's CountVectorizer does."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags


class SentenceEncoder(_TextTransformer):
    """Texts to vectors that are near where the meaning is.

    A sentence-transformers folder of the BERT family (all-MiniLM, bge, e5, gte ...), run by Carya's
    own code.  A text's vector depends on it alone.  There is nothing to fit.

    Parameters
    ----------
    model : path-like, default="all-MiniLM-L6-v2"
        A folder, or the name of one in the cache (carya.default_cache()/models).
    precision : {"auto", "f32", "bf16", "int8"}
        Of the products; "auto" is bf16 where the CPU computes with it, else f32.
    max_tokens : int, optional
        What is beyond is left out; by default what the folder says.
    prompt : str, default=""
        Put before each text: "query: " and the like, where a model wants it.
    progress : bool or callable, optional
        As for Atlas.build.
    """

    def __init__(
        self,
        model="all-MiniLM-L6-v2",
        *,
        precision="auto",
        max_tokens=None,
        prompt="",
        progress=None,
    ):
        self.model = model
        self.precision = precision
        self.max_tokens = max_tokens
        self.prompt = prompt
        self.progress = progress

    def fit(self, X=None, y=None):
        """Does nothing; returns self."""
        return self

    def transform(self, X):
        """The vectors of texts.

        Parameters
        ----------
        X : iterable of str, (n_texts,)

        Returns
        -------
        array (n_texts, dim) of float32
            Of length 1 if the model normalises.
        """
        texts = check_texts(X)
        with reporting(self.progress) as callback:
            return self._loaded().encode(texts, callback)

    @property
    def dim(self):
        """Of the vectors; loads the model."""
        return self._loaded().dim

    @property
    def _n_features_out(self):
        return self.dim

    def _loaded(self):
        parameters = (os.fspath(self.model), self.precision, self.max_tokens, self.prompt)
        cached = getattr(self, "_encoder", None)
        if cached is None or cached[0] != parameters:
            folder = parameters[0]
            if not os.path.isdir(folder) and os.sep not in folder:
                folder = os.path.join(_carya.default_cache(), "models", folder)
            if not os.path.isdir(folder):
                raise FileNotFoundError(
                    f"there is no model {folder}: scripts/get-data fetches all-MiniLM-L6-v2; any "
                    "sentence-transformers folder of the BERT family will do"
                )
            encoder = _carya.SentenceEncoder.open(
                folder, self.precision, self.max_tokens, self.prompt
            )
            cached = self._encoder = (parameters, encoder)
        return cached[1]

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_encoder", None)  # 90 MB that lie in the folder
        return state

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


class LSA(_TextTransformer):
    """Latent semantic analysis: texts to vectors by the words that occur together in them.

    TF-IDF with sublinear counts on the largest singular vectors.  Needs no model and no language.

    Parameters
    ----------
    n_components : int, default=100
        Dims; fewer where the vocabulary is smaller.
    min_documents : int, default=3
        Rarer words are left out; 1 below 1000 texts.
    max_words : int, default=200000
        The most frequent of the rest.
    n_iterations : int, default=5
        Of the subspace iteration.
    random_state : int, RandomState or None, default=0
    progress : bool or callable, optional
        As for Atlas.build.

    Attributes
    ----------
    singular_values_ : array (n_components,) of float32
        The largest first.
    n_words_ : int
        Of the vocabulary.
    """

    def __init__(
        self,
        n_components=100,
        *,
        min_documents=3,
        max_words=200_000,
        n_iterations=5,
        random_state=0,
        progress=None,
    ):
        self.n_components = n_components
        self.min_documents = min_documents
        self.max_words = max_words
        self.n_iterations = n_iterations
        self.random_state = random_state
        self.progress = progress

    def fit(self, X, y=None):
        """Learn the words of texts, an iterable of str; raises ValueError if none has a word."""
        texts = check_texts(X)
        with reporting(self.progress) as callback:
            self._lsa = _carya.Lsa.fit(
                texts,
                whole("n_components", self.n_components, 1),
                whole("min_documents", self.min_documents, 1),
                whole("max_words", self.max_words, 1),
                whole("n_iterations", self.n_iterations, 0),
                seed_of(self.random_state),
                callback,
            )
        self.singular_values_ = self._lsa.singular_values
        self.n_words_ = self._lsa.n_words
        return self

    def fit_transform(self, X, y=None):
        """fit, then transform of the same texts."""
        texts = X if isinstance(X, (list, tuple, np.ndarray)) else list(check_texts(X))
        return self.fit(texts).transform(texts)

    def transform(self, X):
        """The vectors of texts.

        Parameters
        ----------
        X : iterable of str, (n_texts,)

        Returns
        -------
        array (n_texts, n_components) of float32
            Of length 1; a text without a known word is a row of zeros.
        """
        check_is_fitted(self, "_lsa")
        return self._lsa.encode(check_texts(X))

    @property
    def _n_features_out(self):
        check_is_fitted(self, "_lsa")
        return self._lsa.dim
